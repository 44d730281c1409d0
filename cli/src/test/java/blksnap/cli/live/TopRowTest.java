package blksnap.cli.live;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.output.Palette;
import blksnap.status.StatusNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What {@code top} makes of two readings of the status tree. */
final class TopRowTest {
  private static final StatusNode SNAPSHOTS =
      directory(
          "blksnap",
          directory(
              "mon@day",
              directory("storage", attribute("free", "1048576"), attribute("full_in_s", "300"))),
          directory(
              "sunday",
              directory("storage", attribute("free", "512"), attribute("full_in_s", ""))));

  @Test
  void saysWhatHappenedBetweenTwoReadings() {
    assertThat(lines(before(), after()))
        .containsExactly(
            "NAME         IOPS  R MiB/s  W MiB/s    P50    P99  COPIED  LEFT  FULL IN",
            "vm1            26       10      5.0  256us  1.3ms      12  512B    5 min",
            "vm1@mon@day     0        0        0      -      -       7    1M    5 min",
            "vm1@sunday      0        0        0      -      -       5  512B        -");
  }

  @Test
  void printsWholeNumbersForPrograms() {
    var out = new StringWriter();
    List<TopRow> rows = TopRow.between(before(), after());
    TopText.plain(rows, new PrintWriter(out));
    assertThat(out.toString())
        .isEqualTo(
            """
            vm1\t26\t10485760\t5242880\t256\t1280\t12\t512\t300
            vm1@mon@day\t0\t0\t0\t\t\t7\t1048576\t300
            vm1@sunday\t0\t0\t0\t\t\t5\t512\t
            """);
    assertThat(TopText.json(rows.subList(0, 1)))
        .hasToString(
            "{\"rows\":[{\"name\":\"vm1\",\"kind\":\"device\",\"iops\":26,"
                + "\"read_bytes_per_s\":10485760,\"write_bytes_per_s\":5242880,\"p50_us\":256,"
                + "\"p99_us\":1280,\"blocks_copied\":12,\"storage_left\":512,\"full_in_s\":300}]}");
    assertThat(TopText.json(rows.subList(1, 2)).toString()).contains("\"kind\":\"image\"");
  }

  @Test
  void hasNoRatesForADeviceThatIsNewOrHasTheNameOfAnother() {
    List<TopRow> fresh = TopRow.between(new TopSample(0, java.util.Map.of()), after());
    assertThat(fresh.getFirst().iops()).isZero();
    assertThat(fresh.getFirst().p50Micros()).isEmpty();
    List<TopRow> replaced = TopRow.between(after(), before());
    assertThat(replaced.getFirst().iops()).isZero();
  }

  @Test
  void sortsTheMostRemarkableFirst() {
    var rows = new java.util.ArrayList<>(TopRow.between(before(), after()));
    rows.sort(TopOrder.LEFT.comparator());
    assertThat(rows).extracting(TopRow::name).containsExactly("vm1", "vm1@sunday", "vm1@mon@day");
    rows.sort(TopOrder.LATENCY.comparator().reversed());
    assertThat(rows.getLast().name()).isEqualTo("vm1");
  }

  @Test
  void leavesOutOfALatencyWhatMakesNoSense() {
    var latency = LatencyText.parse("read=8:1,x:2,16:9 nonsense write=");
    assertThat(latency.percentile(LatencyText.NONE, 50, "read")).isEqualTo(OptionalLong.of(16));
    assertThat(latency.percentile(LatencyText.NONE, 10, "read")).isEqualTo(OptionalLong.of(8));
    assertThat(latency.percentile(LatencyText.NONE, 99, "write")).isEmpty();
  }

  private static List<String> lines(TopSample before, TopSample now) {
    return TopText.table(TopRow.between(before, now), new Palette(false));
  }

  private static TopSample before() {
    return sample(
        1_000_000_000,
        "reads=10 read_bytes=100 read_us=1 writes=5 write_bytes=7 write_us=2 discards=0"
            + " discard_bytes=0 discard_us=0 flushes=3 flush_us=9 in_flight=0",
        "read=256:10,4096:90 write=512:5 discard= flush=1000:3");
  }

  private static TopSample after() {
    return sample(
        3_000_000_000L,
        "reads=50 read_bytes=20971620 read_us=1 writes=15 write_bytes=10485767 write_us=2"
            + " discards=1 discard_bytes=0 discard_us=0 flushes=4 flush_us=9 in_flight=0",
        "read=256:50,4096:90 write=512:14,1280:1 discard=1280:1 flush=1000:4");
  }

  private static TopSample sample(long nanos, String stat, String latency) {
    StatusNode block =
        directory(
            "block",
            directory("vm1", attribute("stat", stat), attribute("latency", latency)),
            directory("vm1@mon@day", attribute("blocks_stored", "7"), attribute("stat", "")),
            directory("vm1@sunday", attribute("blocks_stored", "5"), attribute("stat", "(EIO)")));
    return TopSample.of(nanos, block, SNAPSHOTS);
  }

  private static StatusNode directory(String name, StatusNode... entries) {
    return new StatusNode.Directory(name, Arrays.asList(entries));
  }

  private static StatusNode attribute(String name, String value) {
    return new StatusNode.Attribute(name, value, false);
  }
}
