package blksnap.backup;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.qcow2.Compression;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class PrunePolicyTest {
  /** Two a day, at 6 and at 18 o'clock, from the first of January 2026 on, a Thursday. */
  private static List<Manifest> points(int days) {
    var points = new ArrayList<Manifest>();
    for (int day = 0; day < days; day++) {
      for (int hour : new int[] {6, 18}) {
        Instant at =
            Instant.parse("2026-01-01T00:00:00Z").plusSeconds(day * 86_400L + hour * 3_600L);
        points.add(point(at, points.size() + 1));
      }
    }
    return points;
  }

  private static Manifest point(Instant at, int sequence) {
    var file = new Manifest.DataFile(UUID.randomUUID(), Optional.empty(), 1, 1, 1, "");
    return new Manifest(
        UUID.randomUUID(),
        UUID.randomUUID(),
        "vm1",
        "/srv/vm1.img",
        PointNames.of(at, List.of()),
        sequence,
        Manifest.Kind.FULL,
        Manifest.DataFormat.QCOW2,
        Compression.NONE,
        512,
        Optional.empty(),
        0,
        "crash-consistent",
        at,
        1,
        Manifest.Looked.ALL,
        0,
        0,
        List.of(file));
  }

  private static List<String> kept(Prune.Policy policy, int days) {
    return policy.kept(points(days), ZoneOffset.UTC).stream().sorted().toList();
  }

  @Test
  void keepsTheLastOnes() {
    assertThat(kept(new Prune.Policy(3, 0, 0, 0), 10))
        .containsExactly("20260109T180000Z", "20260110T060000Z", "20260110T180000Z");
  }

  @Test
  void keepsTheLastOfEachDayWeekAndMonth() {
    assertThat(kept(new Prune.Policy(0, 2, 0, 0), 10))
        .containsExactly("20260109T180000Z", "20260110T180000Z");
    assertThat(kept(new Prune.Policy(0, 0, 2, 0), 10))
        .containsExactly("20260104T180000Z", "20260110T180000Z");
    assertThat(kept(new Prune.Policy(0, 0, 0, 9), 40))
        .containsExactly("20260131T180000Z", "20260209T180000Z");
  }

  @Test
  void keepsWhatAnyRuleKeeps() {
    assertThat(kept(new Prune.Policy(1, 1, 2, 1), 10))
        .containsExactly("20260104T180000Z", "20260110T180000Z");
  }
}
