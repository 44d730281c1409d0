package blksnap.cli.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.cli.testing.Environments;
import blksnap.error.BlkSnapException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

final class DirectoriesTest {
  @Test
  void givesRootTheSystemsDirectories() throws BlkSnapException {
    assertThat(of(Environments.bare(0, false)))
        .isEqualTo(new Directories(Path.of("/run/blksnap"), Path.of("/var/lib/blksnap")));
  }

  @Test
  void givesRootTheSystemsDirectoriesEvenWithXdgVariables() throws BlkSnapException {
    var root =
        Environments.bare(0, false)
            .with("XDG_RUNTIME_DIR", "/run/user/0")
            .with("XDG_STATE_HOME", "/elsewhere");
    assertThat(of(root))
        .isEqualTo(new Directories(Path.of("/run/blksnap"), Path.of("/var/lib/blksnap")));
  }

  @Test
  void givesOthersTheirXdgDirectories() throws BlkSnapException {
    assertThat(of(Environments.user().with("XDG_STATE_HOME", "/home/ann/st")))
        .isEqualTo(
            new Directories(Path.of("/run/user/1000/blksnap"), Path.of("/home/ann/st/blksnap")));
  }

  @Test
  void keepsAUsersStateBelowHisHomeWhenTheVariableIsMissingOrRelative() throws BlkSnapException {
    var expected = Path.of("/home/ann/.local/state/blksnap");
    assertThat(of(Environments.user()).state()).isEqualTo(expected);
    assertThat(of(Environments.user().with("XDG_STATE_HOME", "st")).state()).isEqualTo(expected);
    assertThat(of(Environments.user().with("XDG_STATE_HOME", "")).state()).isEqualTo(expected);
  }

  @Test
  void prefersItsOwnVariablesAndMakesThemAbsolute() throws BlkSnapException {
    var environment =
        Environments.bare(0, false).with("BLKSNAP_RUN_DIR", "r").with("BLKSNAP_STATE_DIR", "/s");
    assertThat(of(environment)).isEqualTo(new Directories(Path.of("/here/r"), Path.of("/s")));
  }

  @Test
  void prefersOptionsToEverything() throws BlkSnapException {
    var environment =
        Environments.user().with("BLKSNAP_RUN_DIR", "/r").with("BLKSNAP_STATE_DIR", "/s");
    assertThat(of(environment, "--run-dir", "a", "--state-dir=/b"))
        .isEqualTo(new Directories(Path.of("/here/a"), Path.of("/b")));
  }

  @Test
  void refusesToGuessARunDirectory() {
    assertThatThrownBy(() -> of(Environments.bare(4_294_000_000L, false)))
        .isInstanceOf(BlkSnapException.class)
        .hasMessage(
            "no run directory is known: XDG_RUNTIME_DIR is not set and /run/user/4294000000 does"
                + " not exist");
  }

  private static Directories of(Environment environment, String... args) throws BlkSnapException {
    var options = new CommonOptions();
    var spec = CommandLine.Model.CommandSpec.create();
    spec.addMixin("options", CommandLine.Model.CommandSpec.forAnnotatedObject(options));
    new CommandLine(spec).parseArgs(args);
    return Directories.of(options, environment);
  }
}
