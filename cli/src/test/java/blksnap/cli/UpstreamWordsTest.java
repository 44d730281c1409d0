package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.FakeEngine;
import blksnap.error.Errno;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What scripts for the kernel module's tools read when there is nothing to tell of an event. */
final class UpstreamWordsTest {
  @ParameterizedTest
  @CsvSource({
    "ETIMEDOUT, timeout",
    "ESRCH, not found",
    "EINTR, interrupted",
    "ECANCELED, interrupted",
  })
  void aWaitThatEndsWithoutAnEventIsAResult(Errno errno, String result) {
    List<String> line = List.of("snapshot_waitevent", "-i", "monday", "-t", "1");
    var engine = new FakeEngine().refuse(errno, "no event", "");
    assertThat(CommandRun.of(engine, line.toArray(String[]::new)))
        .isEqualTo(new CommandRun(0, "result=" + result + "\n", ""));
    engine.refuse(errno, "no event", "");
    assertThat(CommandRun.of(engine, "snapshot_waitevent", "-i", "monday", "-t", "1", "-j"))
        .isEqualTo(new CommandRun(0, "{\"result\":\"" + result + "\"}\n", ""));
  }

  @Test
  void anotherRefusalOfAWaitIsAFailure() {
    var engine = new FakeEngine().refuse(Errno.EIO, "the engine is broken", "");
    assertThat(CommandRun.of(engine, "snapshot_waitevent", "-i", "monday", "-t", "1"))
        .isEqualTo(new CommandRun(1, "", "blksnap: the engine is broken (EIO)\n"));
  }

  /** As {@code cli/docs/upstream.md} says. */
  @ParameterizedTest
  @CsvSource({
    "snapshot_take, 1",
    "snapshot_take --nonsense, 1",
    "tracker_remove vm1, 1",
    "attach --nonsense, 2",
    "detach, 2",
    "version --nonsense, 2",
    "snapshot_nonsense, 2",
  })
  void wrongUsageEndsWithOneForANameOfTheirsAndWithTwoForOurs(String line, int code) {
    var engine = new FakeEngine();
    assertThat(CommandRun.of(engine, line.split(" ")).code()).isEqualTo(code);
    assertThat(engine.requests()).isEmpty();
  }
}
