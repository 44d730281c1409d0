package blksnap.sim.oracle;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** An image: what its take shows, and over it what was written to the image. */
final class ImageModel {
  /** Stands for what the take shows. */
  private static final long TAKEN = Long.MIN_VALUE;

  final TakeModel take;
  private final Map<Integer, Set<Long>> written = new HashMap<>();
  private final Set<Integer> unsettled = new HashSet<>();

  ImageModel(TakeModel take) {
    this.take = take;
  }

  /** From now on a sector may show {@code value} as well. */
  void begin(int first, int count, long value) {
    for (int i = first; i < first + count; i++) {
      Set<Long> now = written.getOrDefault(i, Set.of(TAKEN));
      var more = new java.util.TreeSet<>(now);
      more.add(value);
      written.put(i, more);
    }
  }

  /** From now on it shows nothing else. */
  void end(int first, int count, long value) {
    for (int i = first; i < first + count; i++) {
      unsettled.remove(i);
      written.put(i, Set.of(value));
    }
  }

  /** A write failed: its sectors may show either from now on, and a restart may change which. */
  void failed(int first, int count) {
    for (int i = first; i < first + count; i++) {
      unsettled.add(i);
    }
  }

  void shows(int sector, long found, String what) {
    Set<Long> may = written.getOrDefault(sector, Set.of(TAKEN));
    boolean settled = !unsettled.contains(sector);
    if (may.contains(found)) {
      if (settled) {
        written.put(sector, Set.of(found));
      }
    } else if (may.contains(TAKEN)) {
      take.shows(sector, found, what);
      if (settled) {
        written.remove(sector);
      }
    } else {
      throw new Violation(what + " sector " + sector + " shows " + found + ", not one of " + may);
    }
  }
}
