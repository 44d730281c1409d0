package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.ctrl.CtrlProgress;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlWatcher;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests that tell how far they are, and are given up when nobody waits for them. */
@Timeout(120)
class WatchedRequestTest {
  private static final int SIZE = 8 << 20;

  @TempDir private Path directory;
  private TestEngine engine;

  @BeforeEach
  void load() throws IOException {
    engine = new TestEngine(directory);
    engine.attach("vm1", new byte[SIZE]);
  }

  @AfterEach
  void close() throws IOException {
    engine.close();
  }

  @Test
  void undoesATakeThatIsCancelledWhileItsCommandRuns() throws Exception {
    engine.create("night", "vm1");
    Path begun = directory.resolve("begun");
    Path after = directory.resolve("after");
    var hooks = hooks("touch " + begun + "; sleep 1000", "touch " + after);
    var watcher = new Watcher(() -> Files.exists(begun));
    refused(new CtrlRequest.SnapshotTake("night", hooks), watcher);

    assertThat(engine.info("night").state()).isEqualTo("created");
    assertThat(after).as("the command that undoes the first").exists();
    assertThat(watcher.heard)
        .isNotEmpty()
        .allMatch(progress -> progress.stage().equals("taking the snapshot"));
    engine.ask(new CtrlRequest.SnapshotTake("night"));
    assertThat(engine.info("night").state()).isEqualTo("taken");
  }

  @Test
  void leavesNoSnapshotWhenItsMakingIsCancelled() throws Exception {
    Path begun = directory.resolve("begun");
    CtrlRequest.SnapshotCreate made = engine.creation("night", "vm1");
    var create =
        new CtrlRequest.SnapshotCreate(
            made.devices(),
            made.storage(),
            made.limitBytes(),
            made.name(),
            made.durability(),
            made.onFull(),
            true,
            hooks("touch " + begun + "; sleep 1000", ""));
    refused(create, new Watcher(() -> Files.exists(begun)));
    assertThat(engine.ask(CtrlReply.Snapshots.class, new CtrlRequest.SnapshotList()).snapshots())
        .isEmpty();
  }

  @Test
  void leavesADeviceAsItWasWhenItsResizeIsCancelled() throws Exception {
    engine.take("night", "vm1");
    var watcher = new Watcher(() -> true);
    refused(new CtrlRequest.Resize("vm1", OptionalLong.of(SIZE / 2), true, false), watcher);
    assertThat(engine.cat("/sys/block/vm1/size")).isEqualTo(Integer.toString(SIZE));
    assertThat(engine.read("vm1@night", SIZE - 512, 512)).containsOnly(0);
  }

  @Test
  void tellsHowFarItIsWithPreservingWhatIsCutOff() throws Exception {
    engine.take("night", "vm1");
    var watcher = new Watcher(() -> false);
    ask(new CtrlRequest.Resize("vm1", OptionalLong.of(SIZE / 2), true, false), watcher);
    assertThat(watcher.heard)
        .containsExactly(new CtrlProgress("preserving bytes", 0, OptionalLong.of(SIZE / 2)));
  }

  @Test
  void destroysToTheEndAndTellsHowFarItIs() throws Exception {
    engine.take("one", "vm1");
    engine.take("two", "vm1");
    engine.write("vm1", 0, Bytes.repeated('a', 1 << 20));
    var watcher = new Watcher(() -> true);
    ask(new CtrlRequest.SnapshotDestroy("two"), watcher);
    assertThat(watcher.heard)
        .contains(new CtrlProgress("handing down blocks", 1, OptionalLong.of(256)));
    assertThat(engine.read("vm1@one", 0, 4096)).containsOnly(0);
  }

  private static CtrlRequest.Hooks hooks(String pre, String post) {
    return new CtrlRequest.Hooks(
        List.of(),
        Optional.of(pre),
        post.isEmpty() ? Optional.empty() : Optional.of(post),
        600_000,
        false);
  }

  private CtrlReply ask(CtrlRequest request, CtrlWatcher watcher) throws Exception {
    return engine.engine().handle(request, watcher);
  }

  private void refused(CtrlRequest request, CtrlWatcher watcher) {
    assertThatThrownBy(() -> ask(request, watcher))
        .isInstanceOfSatisfying(
            BlkSnapException.class,
            e -> {
              assertThat(e.errno()).isEqualTo(Errno.ECANCELED);
              assertThat(e.sentence()).endsWith("was cancelled, and nothing is changed");
            });
  }

  /** Gives up when something is so, and remembers what it heard. */
  private static final class Watcher implements CtrlWatcher {
    private final BooleanSupplier givesUp;
    private final List<CtrlProgress> heard = new ArrayList<>();

    Watcher(BooleanSupplier givesUp) {
      this.givesUp = givesUp;
    }

    @Override
    public void accept(CtrlProgress progress) {
      heard.add(progress);
    }

    @Override
    public boolean hasGivenUp() {
      return givesUp.getAsBoolean();
    }
  }
}
