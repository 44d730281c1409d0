package blksnap.cli.live;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * What a device or image did between two samples.
 *
 * @param iops requests of all kinds a second
 * @param p50Micros half of the reads, writes and discards were shorter; empty when there were none
 * @param copied blocks stored for images until now
 */
public record TopRow(
    String name,
    boolean image,
    double iops,
    double readBytes,
    double writeBytes,
    OptionalLong p50Micros,
    OptionalLong p99Micros,
    long copied,
    OptionalLong left,
    OptionalLong fullInSeconds) {
  private static final double NANOS_PER_SECOND = 1e9;
  private static final String[] TIMED = {"read", "write", "discard"};

  /** One row for each name of {@code now}; what is new since {@code before} has no rates yet. */
  public static List<TopRow> between(TopSample before, TopSample now) {
    double seconds = Math.max(1, now.nanos() - before.nanos()) / NANOS_PER_SECOND;
    var rows = new ArrayList<TopRow>();
    for (Map.Entry<String, TopSample.Counters> entry : now.counters().entrySet()) {
      TopSample.Counters late = entry.getValue();
      TopSample.Counters early = before.counters().getOrDefault(entry.getKey(), late);
      if (early.reads() > late.reads() || early.writes() > late.writes()) {
        early = late; // another one has the name by now
      }
      long requests =
          late.reads()
              + late.writes()
              + late.others()
              - early.reads()
              - early.writes()
              - early.others();
      rows.add(
          new TopRow(
              entry.getKey(),
              late.image(),
              requests / seconds,
              (late.readBytes() - early.readBytes()) / seconds,
              (late.writeBytes() - early.writeBytes()) / seconds,
              late.latency().percentile(early.latency(), 50, TIMED),
              late.latency().percentile(early.latency(), 99, TIMED),
              late.copied(),
              late.left(),
              late.fullInSeconds()));
    }
    return rows;
  }
}
