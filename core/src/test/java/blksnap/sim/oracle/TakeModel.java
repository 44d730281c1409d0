package blksnap.sim.oracle;

import blksnap.sector.ByteRange;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One disk at one take: what each sector showed, or may have shown, and the numbers it was given.
 */
public final class TakeModel {
  private static final int BLOCK_BYTES = 4096;

  final DiskModel disk;
  final long start;

  /** What its image has. */
  int sectors;

  private final Version[] base;
  private @Nullable List<List<Version>> candidates;

  /** When it was answered, or its engine gone. */
  private long answered;

  private boolean[] known = new boolean[0];
  private long[] value = new long[0];

  /** The instant is after this, and before that. */
  private long after;

  private long before;

  /** Which blocks were last touched when, when it was answered. */
  private long[] touched = new long[0];

  /** Whether the power failed since: blocks of regions then in use may be reported as well. */
  boolean wasCut;

  /** Where later changes are found; null until the take was answered. */
  @Nullable UUID generation;

  int number;

  public TakeModel(DiskModel disk, Clock clock) {
    this.disk = disk;
    this.sectors = disk.sectors;
    this.start = clock.tick();
    this.base = disk.takeBegins();
  }

  boolean isUnderWay() {
    return candidates == null;
  }

  /** The take is answered, or its engine gone. */
  public void end(Clock clock) {
    after = start;
    before = clock.tick();
    answered = before;
    List<List<Version>> all = disk.takeEnds(base);
    candidates = all;
    touched = disk.touches();
    known = new boolean[disk.capacity];
    value = new long[disk.capacity];
    for (int i = 0; i < disk.capacity; i++) {
      List<Version> list = all.get(i);
      long first = list.getFirst().value;
      if (list.stream().allMatch(v -> v.value == first)) {
        known[i] = true;
        value[i] = first;
      }
    }
  }

  /**
   * The take is answered, or found.
   *
   * @param imageSectors that its image has
   */
  void numbered(UUID inGeneration, int given, int imageSectors) {
    generation = inGeneration;
    number = given;
    sectors = imageSectors;
  }

  /** An image shows this: must be what was there at the instant, and the same ever after. */
  void shows(int sector, long found, String what) {
    if (known[sector]) {
      if (value[sector] != found) {
        throw new Violation(
            what + " sector " + sector + " shows " + found + ", not " + value[sector]);
      }
      return;
    }
    List<Version> list = java.util.Objects.requireNonNull(candidates).get(sector);
    int at = -1;
    for (int i = 0; i < list.size(); i++) {
      if (list.get(i).value == found) {
        if (at >= 0) {
          return; // twice the same, zeroes: tells nothing of when
        }
        at = i;
      }
    }
    if (at < 0) {
      throw new Violation(
          what + " sector " + sector + " shows " + found + ", which was not there at its take");
    }
    known[sector] = true;
    value[sector] = found;
    after = Math.max(after, list.get(at).start);
    if (at + 1 < list.size()) {
      before = Math.min(before, list.get(at + 1).end);
    }
    if (after > before) {
      throw new Violation(what + " mixes moments: sector " + sector + " does not go with others");
    }
  }

  /** Devices of one snapshot have one instant. */
  void joins(TakeModel other, String what) {
    if (Math.max(after, other.after) > Math.min(before, other.before)) {
      throw new Violation(what + " shows its devices at different moments");
    }
  }

  /** Whether the sector surely showed something else than {@code now}. */
  boolean differs(int sector, long now) {
    return known[sector]
        ? value[sector] != now
        : java.util.Objects.requireNonNull(candidates).get(sector).stream()
            .allMatch(v -> v.value != now);
  }

  /** Whether it surely showed something else than at the other take. */
  boolean differs(int sector, TakeModel other) {
    return known[sector] && other.known[sector] && value[sector] != other.value[sector];
  }

  /** Nothing that changed since this take may be missing. */
  void changedSince(List<ByteRange> reported, boolean exact, String what) {
    boolean[] marked = marked(reported, disk.sectors);
    for (int i = 0; i < disk.sectors; i++) {
      int block = i * Stamps.SECTOR / BLOCK_BYTES;
      if (!marked[block] && (i >= sectors || differs(i, disk.current(i)))) {
        throw new Violation(
            what + " sector " + i + " changed since take " + number + " and is not reported");
      }
    }
    for (int block = 0; exact && block < marked.length; block++) {
      if (marked[block] && !disk.touchedSince(block, start)) {
        throw new Violation(
            what
                + " block "
                + block
                + " is reported since take "
                + number
                + ", and nobody touched it");
      }
    }
  }

  /**
   * Nothing that changed between that take and this one may be missing, and nothing else be there.
   *
   * @param exact whether what nobody touched may not be reported
   */
  void changedBetween(TakeModel from, List<ByteRange> reported, boolean exact, String what) {
    boolean[] marked = marked(reported, sectors);
    for (int i = 0; i < sectors; i++) {
      boolean changed = i >= from.sectors || differs(i, from);
      if (!marked[i * Stamps.SECTOR / BLOCK_BYTES] && changed) {
        throw new Violation(
            what
                + " sector "
                + i
                + " changed between take "
                + from.number
                + " and this one, and is not reported");
      }
    }
    for (int block = 0; exact && !wasCut && block < marked.length; block++) {
      if (marked[block]
          && touched[block] < from.start
          && !disk.imageTouchedSince(block, from.start, answered)) {
        throw new Violation(
            what
                + " block "
                + block
                + " is reported between take "
                + from.number
                + " and this one, and nobody touched it");
      }
    }
  }

  private static boolean[] marked(List<ByteRange> reported, int sectors) {
    boolean[] marked = new boolean[(sectors * Stamps.SECTOR + BLOCK_BYTES - 1) / BLOCK_BYTES];
    for (ByteRange range : reported) {
      for (long at = range.offset() / BLOCK_BYTES; at * BLOCK_BYTES < range.end(); at++) {
        marked[(int) at] = true;
      }
    }
    return marked;
  }
}
