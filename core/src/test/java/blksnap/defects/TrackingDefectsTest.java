package blksnap.defects;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import blksnap.sector.ByteRange;
import blksnap.sector.SectorRange;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Defects of change tracking. */
class TrackingDefectsTest {
  private static final int BLOCK = 4096;
  private static final long GIB = 1L << 30;

  @TempDir Path directory;

  static void sparse(Path file, long bytes) throws IOException {
    try (var sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.setLength(bytes);
    }
  }

  // D1
  @Test
  void aDiskOver128GiBKeepsSmallTrackingBlocks() throws IOException {
    try (var engine = new TestEngine(directory, TestEngine.config(directory, Map.of(), false))) {
      var blockBytes = new HashMap<Long, Long>();
      for (long size : List.of(128L, 129L, 256L, 257L, 2048L, 2049L)) {
        Path file = directory.resolve("disk" + size + ".img");
        sparse(file, size * GIB);
        engine.attach("disk" + size, file, false);
        CtrlReply.CbtState cbt = engine.cbt("disk" + size);
        blockBytes.put(size, cbt.blockSize());
        assertThat(cbt.blockCount()).isEqualTo(Math.ceilDiv(size * GIB, cbt.blockSize()));
        assertThat(cbt.blockCount())
            .isLessThanOrEqualTo(Parameter.TRACKING_BLOCK_MAXIMUM_COUNT.defaultValue());
      }

      assertThat(blockBytes)
          .containsExactlyInAnyOrderEntriesOf(
              Map.of(
                  128L, 64L << 10,
                  129L, 128L << 10,
                  256L, 128L << 10,
                  257L, 256L << 10,
                  2048L, 1L << 20,
                  2049L, 2L << 20));
    }
  }

  // D2
  @Test
  void theSecondPageOfAMapIsNotTheFirst() throws IOException {
    int page = CtrlRequest.MAX_MAP_PAGE_BYTES;
    Path file = directory.resolve("vm1.img");
    sparse(file, (page + 100L) * BLOCK);
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", file, false);
      engine.write("vm1", 3L * BLOCK, Bytes.filled('a', 1));
      engine.write("vm1", (page + 5L) * BLOCK, Bytes.filled('a', 1));

      var first = engine.ask(CtrlReply.CbtBytes.class, raw(0));
      var second = engine.ask(CtrlReply.CbtBytes.class, raw(page));
      var end = engine.ask(CtrlReply.CbtBytes.class, raw(page + 100L));

      byte[] expected = new byte[page];
      expected[3] = 1;
      assertThat(first.bytes()).isEqualTo(expected);
      expected = new byte[100];
      expected[5] = 1;
      assertThat(second.bytes()).isEqualTo(expected);
      assertThat(end.bytes()).isEmpty();
      assertThat(first.blockCount()).isEqualTo(page + 100L);
    }
  }

  private static CtrlRequest.CbtRaw raw(long fromBlock) {
    return new CtrlRequest.CbtRaw("vm1", Optional.empty(), fromBlock);
  }

  // D2
  @Test
  void theSecondPageOfChangedRangesGoesOnWhereTheFirstEnded() throws IOException {
    int ranges = CtrlRequest.MAX_MAP_PAGE_RANGES + 3;
    Path file = directory.resolve("vm1.img");
    sparse(file, 2L * ranges * BLOCK);
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", file, false);
      var marked = new ArrayList<SectorRange>();
      var expected = new ArrayList<ByteRange>();
      for (int i = 0; i < ranges; i++) {
        marked.add(new SectorRange(i * 16L, 1));
        expected.add(new ByteRange(2L * i * BLOCK, BLOCK));
      }
      engine.ask(new CtrlRequest.CbtMark("vm1", marked));

      var first = engine.changes("vm1", Optional.empty(), Optional.empty());
      var second =
          engine.ask(
              CtrlReply.CbtRanges.class,
              new CtrlRequest.CbtMap(
                  "vm1", Optional.empty(), Optional.empty(), first.next().orElseThrow()));

      assertThat(first.ranges()).hasSize(CtrlRequest.MAX_MAP_PAGE_RANGES);
      assertThat(second.next()).isEmpty();
      var all = new ArrayList<>(first.ranges());
      all.addAll(second.ranges());
      assertThat(all).isEqualTo(expected);
    }
  }

  // D4
  @Test
  void theMapStartsAnewAfter255TakesAndNothingIsMissed() throws IOException {
    int blocks = 64;
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.zeroes(blocks * BLOCK));
      UUID generation = engine.cbt("vm1").generationId();
      engine.take("s0", "vm1");
      for (int take = 2; take <= 258; take++) {
        String before = "s" + (take - 2);
        String now = "s" + (take - 1);
        long changed = (take * 7L % blocks) * BLOCK;
        assertThat(engine.write("vm1", changed, Bytes.filled('x', 2))).isZero();
        engine.take(now, "vm1");

        assertThat(engine.changes("vm1", Optional.of(before), Optional.of(now)).ranges())
            .as("what changed between take %d and %d", take - 1, take)
            .containsExactly(new ByteRange(changed, BLOCK));
        CtrlReply.CbtState cbt = engine.cbt("vm1");
        assertThat(cbt.snapNumber()).as("number after take %d", take).isEqualTo(take % 255);
        assertThat(cbt.generationId().equals(generation))
            .as("the first generation after take %d", take)
            .isEqualTo(take < 255);
        if (take > 2) {
          engine.destroy(before);
        }
      }
      var refusal =
          refused(
              Errno.EINVAL,
              () -> engine.changes("vm1", Optional.of("s0"), Optional.empty()),
              "s0",
              generation.toString(),
              engine.cbt("vm1").generationId().toString());
      assertThat(refusal.hint()).contains("read everything");
    }
  }

  // D6
  @Test
  void whatIsWrittenToAnImageIsMarkedInBothMaps() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.pattern(1, 0, 64 * BLOCK));
      engine.take("s1", "vm1");
      engine.write("vm1@s1", 9L * BLOCK + 10, Bytes.filled('i', 1));
      engine.client("vm1@s1").errorOf(0, 4, 20L * BLOCK, BLOCK); // a discard changes it as well

      var marked = List.of(new ByteRange(9L * BLOCK, BLOCK), new ByteRange(20L * BLOCK, BLOCK));
      assertThat(engine.changes("vm1", Optional.of("0"), Optional.of("s1")).ranges())
          .as("a backup of this snapshot reads them again")
          .isEqualTo(marked);
      assertThat(engine.changes("vm1", Optional.of("s1"), Optional.empty()).ranges())
          .as("and so does the one after the next take")
          .isEqualTo(marked);
    }
  }

  // D16
  @Test
  void aDeviceThatIsNotTrackedHasNoMapRatherThanAnEmptyOne() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.zeroes(64 * BLOCK));
      var nothing = Optional.<String>empty();
      for (CtrlRequest request :
          List.of(
              new CtrlRequest.CbtInfo("vm2"),
              new CtrlRequest.CbtMap("vm2", nothing, nothing, 0),
              new CtrlRequest.CbtRaw("vm2", nothing, 0),
              new CtrlRequest.CbtMark("vm2", List.of(new SectorRange(0, 8))))) {
        refused(Errno.ENODEV, () -> engine.ask(request), "vm2");
      }
    }
  }

  // D19
  @Test
  void markingNothingIsRefusedAndMarksNothing() throws IOException {
    try (var engine =
        new TestEngine(directory, TestEngine.config(directory, TestEngine.SMALL, true))) {
      engine.attach("vm1", Bytes.zeroes(64 * BLOCK));

      refused(
          Errno.EINVAL, () -> engine.ask(new CtrlRequest.CbtMark("vm1", List.of())), "no range");
      String reply =
          RawControl.ask(
              directory.resolve("run/ctrl.sock"),
              """
              {"jsonrpc":"2.0","id":1,"method":"cbt.mark","params":\
              {"device":"vm1","ranges":[{"sector":8,"count":0}]}}\
              """);

      assertThat(reply).contains("\"error\"", "ranges[0].count", "EINVAL");
      assertThat(engine.changes("vm1", Optional.empty(), Optional.empty()).ranges()).isEmpty();
    }
  }
}
