package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Processes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What lies in the directories of an engine is its user's, and no way to anywhere else. */
final class PrivateStateTest {
  private static final int NOBODY = 65_534;

  @TempDir private Path directory;
  private Path victim = Path.of("");

  @BeforeEach
  void leaveStateBehind() throws IOException {
    victim = Files.writeString(directory.resolve("victim"), "precious");
    try (TestEngine engine = load()) {
      engine.attach("vm1", new byte[1 << 20]);
    }
  }

  private TestEngine load() throws IOException {
    return new TestEngine(directory, TestEngine.config(directory, TestEngine.SMALL, true));
  }

  private void assertRefused(Errno errno, Path place) {
    assertThatThrownBy(() -> load().close())
        .as("%s", place)
        .isInstanceOfSatisfying(
            BlkSnapException.class,
            e -> {
              assertThat(e.errno()).isEqualTo(errno);
              assertThat(e.sentence()).contains(place.toString());
            });
  }

  /** Everything in both directories, and the two themselves. */
  private List<Path> places() throws IOException {
    var places = new ArrayList<Path>();
    for (String root : List.of("run", "state")) {
      try (var entries = Files.walk(directory.resolve(root))) {
        entries.forEach(places::add);
      }
    }
    for (String absent : List.of("run/lock", "run/ctrl.sock", "run/nbd.sock", "state/lock")) {
      places.add(directory.resolve(absent));
    }
    return places;
  }

  @Test
  void refusesASymbolicLinkInAnyPlaceByNameAndFollowsNone() throws IOException {
    List<Path> places = places();
    assertThat(places)
        .contains(
            directory.resolve("state/devices/vm1/cbt"),
            directory.resolve("state/devices/vm1/intent"),
            directory.resolve("state/devices/vm1/device"));
    for (Path place : places) {
      Path aside = directory.resolve("aside");
      boolean there = Files.exists(place);
      if (there) {
        Files.move(place, aside);
      }
      Path target = Files.isDirectory(aside) ? aside : victim;
      Files.createSymbolicLink(place, target);
      assertRefused(Errno.EINVAL, place);
      assertThat(Files.isSymbolicLink(place)).as("%s", place).isTrue();
      assertThat(victim).hasContent("precious");
      Files.delete(place);
      if (there) {
        Files.move(aside, place);
      }
    }
    load().close();
  }

  @Test
  void refusesWhatBelongsToAnotherUser() throws IOException {
    assumeTrue(Processes.effectiveUser() == 0, "only root can give files away");
    for (String name : List.of("run", "state", "state/devices", "state/devices/vm1/cbt")) {
      Path place = directory.resolve(name);
      Files.setAttribute(place, "unix:uid", NOBODY);
      assertRefused(Errno.EPERM, place);
      Files.setAttribute(place, "unix:uid", 0);
    }
    load().close();
  }

  @Test
  void makesNothingThatOthersMayUse() throws IOException {
    try (TestEngine engine = load()) {
      engine.take("s1", "vm1");
      engine.write("vm1", 0, new byte[4096]);
      List<Path> places = places();
      places.add(engine.file("s1.diff"));
      for (Path place : places) {
        var permissions = Files.getPosixFilePermissions(place, LinkOption.NOFOLLOW_LINKS);
        assertThat(permissions)
            .as("%s %s", place, PosixFilePermissions.toString(permissions))
            .isSubsetOf(
                PosixFilePermission.OWNER_READ,
                PosixFilePermission.OWNER_WRITE,
                PosixFilePermission.OWNER_EXECUTE);
      }
    }
  }
}
