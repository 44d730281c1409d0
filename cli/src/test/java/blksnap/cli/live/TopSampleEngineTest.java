package blksnap.cli.live;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.status.StatusNode;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That the counters of top are those that a real engine writes into its tree. */
final class TopSampleEngineTest {
  private static final int BLOCK = 4096;
  private static final long LIMIT = 8L << 20;

  @TempDir private Path directory;

  @Test
  void readsWhatAnEngineCounted() throws Exception {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 256 * BLOCK));
      engine.takeWithin(LIMIT, "night", "vm1");
      TopSample before = sample(engine);
      assertThat(before.counters().keySet()).containsExactly("vm1", "vm1@night");
      for (int block = 0; block < 3; block++) {
        assertThat(engine.write("vm1", (long) block * BLOCK, Bytes.repeated('b', BLOCK))).isZero();
      }
      engine.read("vm1", 0, BLOCK);
      engine.read("vm1", 0, 2 * BLOCK);
      engine.read("vm1@night", 0, BLOCK);
      TopSample after = sample(engine);

      TopSample.Counters device = counters(after, "vm1");
      assertThat(device.image()).isFalse();
      assertThat(device.writes() - counters(before, "vm1").writes()).isEqualTo(3);
      assertThat(device.writeBytes() - counters(before, "vm1").writeBytes()).isEqualTo(3 * BLOCK);
      assertThat(device.reads() - counters(before, "vm1").reads()).isEqualTo(2);
      assertThat(device.readBytes() - counters(before, "vm1").readBytes()).isEqualTo(3 * BLOCK);
      assertThat(device.copied()).isEqualTo(3);
      assertThat(device.left().orElseThrow()).isBetween(1L, LIMIT);
      TopSample.Counters image = counters(after, "vm1@night");
      assertThat(image.image()).isTrue();
      assertThat(image.reads()).isEqualTo(1);
      assertThat(image.readBytes()).isEqualTo(BLOCK);
      assertThat(image.copied()).isEqualTo(3);
      assertThat(TopRow.between(before, after).getFirst().p99Micros()).isPresent();
    }
  }

  private static TopSample.Counters counters(TopSample sample, String name) {
    return Objects.requireNonNull(sample.counters().get(name), name);
  }

  private static TopSample sample(TestEngine engine) throws IOException {
    return TopSample.of(
        System.nanoTime(), node(engine, "/sys/block"), node(engine, "/sys/fs/blksnap"));
  }

  private static StatusNode node(TestEngine engine, String path) throws IOException {
    return engine.ask(CtrlReply.Tree.class, new CtrlRequest.Status(path)).node();
  }
}
