package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ImageLimitsTest {
  private static final String LIMIT = "/sys/fs/blksnap/s/image_limit/";

  @TempDir private Path directory;

  private TestEngine engine;

  @BeforeEach
  void take() throws IOException {
    engine = new TestEngine(directory);
    engine.attach("disk", Bytes.pattern(1, 0, 64 << 10));
    engine.create("s", "disk");
  }

  @AfterEach
  void close() throws IOException {
    engine.close();
  }

  private void set(String which, String value) throws IOException {
    engine.ask(new CtrlRequest.Echo(LIMIT + which, value));
  }

  @Test
  void holdsTheImagesOfASnapshotAndNotTheirOriginal() throws IOException {
    set("iops", "20");
    engine.ask(new CtrlRequest.SnapshotTake("s"));
    long start = System.nanoTime();
    for (int i = 0; i < 12; i++) {
      assertThat(engine.read("disk@s", 0, 512)).hasSize(512);
    }
    assertThat(System.nanoTime() - start)
        .isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(400));
    set("iops", "1");
    for (int i = 0; i < 1000; i++) { // at an image's pace a quarter of an hour
      assertThat(engine.read("disk", 0, 512)).hasSize(512);
    }
  }

  private static CtrlRequest.SnapshotCreate limited(
      CtrlRequest.SnapshotCreate creation, long iops, long rate) {
    return new CtrlRequest.SnapshotCreate(
        creation.devices(),
        creation.storage(),
        creation.limitBytes(),
        creation.name(),
        creation.durability(),
        creation.onFull(),
        true,
        CtrlRequest.Hooks.NONE,
        new CtrlRequest.ImageLimit(iops, rate));
  }

  /** By one request: there is no moment at which its images are without the limit. */
  @Test
  void holdsFromTheTakeOnWhereItWasCreatedWith() throws IOException {
    engine.destroy("s");
    engine.ask(limited(engine.creation("s", "disk"), 20, 1 << 20));
    assertThat(engine.cat(LIMIT + "iops")).isEqualTo("20");
    assertThat(engine.cat(LIMIT + "rate")).isEqualTo("1048576");
    long start = System.nanoTime();
    for (int i = 0; i < 12; i++) {
      assertThat(engine.read("disk@s", 0, 512)).hasSize(512);
    }
    assertThat(System.nanoTime() - start)
        .isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(400));
    set("iops", "0");
    assertThat(engine.cat(LIMIT + "rate")).isEqualTo("1048576");
  }

  @Test
  void createsNothingWithWhatIsNoLimit() throws IOException {
    engine.destroy("s");
    for (long[] wrong : new long[][] {{-1, 0}, {0, -1}, {0, 16_383}}) {
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> engine.ask(limited(engine.creation("s", "disk"), wrong[0], wrong[1])))
          .withMessageContaining("cannot be limited to " + wrong[0] + " requests")
          .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    }
    assertThat(engine.ask(CtrlReply.Snapshots.class, new CtrlRequest.SnapshotList()).snapshots())
        .isEmpty();
  }

  @Test
  void isChangedForWhoIsConnected() throws IOException {
    engine.ask(new CtrlRequest.SnapshotTake("s"));
    engine.read("disk@s", 0, 512);
    set("rate", "16384");
    assertThat(engine.cat(LIMIT + "rate")).isEqualTo("16384");
    engine.client("disk@s").request(0, 0, 9, 0, 64 << 10);
    engine.client("disk@s").request(0, 0, 9, 0, 64 << 10);
    set("rate", "0");
    assertThat(engine.client("disk@s").reply(64 << 10).error()).isZero();
    assertThat(engine.client("disk@s").reply(64 << 10).error()).isZero();
    assertThat(engine.cat(LIMIT + "rate")).isEqualTo("0");
  }

  @Test
  void refusesWhatIsNoLimit() throws IOException {
    for (String value : new String[] {"-1", "fast", "", "1.5"}) {
      assertRefused("iops", value);
    }
    assertRefused("rate", "16383");
    assertThat(engine.cat(LIMIT + "iops")).isEqualTo("0");
  }

  private void assertRefused(String which, String value) {
    assertThatExceptionOfType(BlkSnapException.class)
        .as(value)
        .isThrownBy(() -> set(which, value))
        .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
  }

  @Test
  void isForgottenWithItsSnapshot() throws IOException {
    set("iops", "20");
    engine.destroy("s");
    engine.create("s", "disk");
    assertThat(engine.cat(LIMIT + "iops")).isEqualTo("0");
  }
}
