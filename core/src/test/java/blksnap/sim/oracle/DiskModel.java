package blksnap.sim.oracle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One original: for each sector the writes that it may show, oldest first. Writes of one sector
 * follow each other, so the last that is done is what it shows.
 */
public final class DiskModel {
  /** log2 of the bytes in a region of the write-intent record. */
  static final int REGION_SHIFT = 16;

  private static final int BLOCK_SECTORS = 8;
  private static final int REGION_BLOCKS = 1 << (REGION_SHIFT - 12);

  final String name;
  final int sectors;
  private final Clock clock;
  private final List<List<Version>> versions = new ArrayList<>();

  /** Index of the version of each sector that a power cut cannot take. */
  private final int[] floor;

  /** When each block was last changed, or marked, by anybody. */
  private final long[] touched;

  private int activeTakes;

  /** A flush failed: what was written before may never reach the disk, whatever later ones say. */
  private boolean flushesFail;

  /** When the latest power cut was after which a block may count as changed without being so. */
  private final long[] doubted;

  private long lastCut = -1;

  public DiskModel(String name, int sectors, Clock clock) {
    this.name = name;
    this.sectors = sectors;
    this.clock = clock;
    this.floor = new int[sectors];
    this.touched = new long[(sectors + BLOCK_SECTORS - 1) / BLOCK_SECTORS];
    this.doubted = new long[touched.length];
    Arrays.fill(doubted, -1);
    for (int i = 0; i < sectors; i++) {
      Version zero = new Version(0, 0);
      zero.end = 0;
      versions.add(new ArrayList<>(List.of(zero)));
    }
  }

  public String name() {
    return name;
  }

  public int sectors() {
    return sectors;
  }

  public void touch(int first, int count) {
    for (int b = first / BLOCK_SECTORS; b <= (first + count - 1) / BLOCK_SECTORS; b++) {
      touched[b] = clock.now();
    }
  }

  boolean touchedSince(int block, long time) {
    return touched[block] >= time || doubted[block] >= time;
  }

  /** A write begins. */
  public Version begin(int first, int count, long value) {
    var version = new Version(value, clock.tick());
    for (int i = first; i < first + count; i++) {
      versions.get(i).add(version);
    }
    touch(first, count);
    return version;
  }

  /** It was acknowledged. */
  public void end(Version version, int first, int count) {
    version.end = clock.tick();
    touch(first, count);
  }

  /** It failed: each sector is as before, or new. */
  public void failed(Version version, int first, long[] found) {
    for (int i = 0; i < found.length; i++) {
      List<Version> list = versions.get(first + i);
      if (found[i] != version.value) {
        list.remove(version);
      }
      requireCurrent(first + i, found[i], "after a write that failed");
    }
    version.end = clock.tick();
    touch(first, found.length);
  }

  private void requireCurrent(int sector, long found, String when) {
    long current = versions.get(sector).getLast().value;
    if (found != current) {
      throw new Violation(
          "disk "
              + name
              + " sector "
              + sector
              + " shows "
              + found
              + ", not "
              + current
              + ", "
              + when);
    }
  }

  /** What a sector shows, while nobody writes it. */
  public long current(int sector) {
    return versions.get(sector).getLast().value;
  }

  /**
   * A flush that began at {@code start} was acknowledged.
   *
   * @param anyFailed whether any flush failed so far: after it the kernel knows nothing any more of
   *     what it lost
   */
  public void flushed(long start, boolean anyFailed) {
    flushesFail |= anyFailed;
    if (flushesFail) {
      return;
    }
    for (int i = 0; i < sectors; i++) {
      List<Version> list = versions.get(i);
      for (int v = list.size() - 1; v > floor[i]; v--) {
        if (list.get(v).end < start) {
          floor[i] = v;
          break;
        }
      }
      if (activeTakes == 0 && floor[i] > 0) {
        list.subList(0, floor[i]).clear();
        floor[i] = 0;
      }
    }
  }

  /** The process was killed: what is shown must be acknowledged, or was under way. */
  void killed(long[] found) {
    for (int i = 0; i < sectors; i++) {
      List<Version> list = versions.get(i);
      int last = list.size() - 1;
      while (list.get(last).value != found[i]) {
        if (!list.get(last).isUnderWay() || last == floor[i]) {
          throw new Violation(
              "disk "
                  + name
                  + " sector "
                  + i
                  + " shows "
                  + found[i]
                  + " after a kill, and "
                  + list.get(last).value
                  + " was acknowledged");
        }
        list.remove(last--);
      }
    }
    endAll();
  }

  /** The power went: any version since the last flush may be there. */
  void cut(long[] found) {
    doubt();
    lastCut = clock.now();
    for (int i = 0; i < sectors; i++) {
      List<Version> list = versions.get(i);
      Version shown = null;
      for (int v = list.size() - 1; v >= floor[i] && shown == null; v--) {
        if (list.get(v).value == found[i]) {
          shown = list.get(v);
        }
      }
      if (shown == null) {
        throw new Violation(
            "disk "
                + name
                + " sector "
                + i
                + " shows "
                + found[i]
                + " after a power cut, and "
                + list.get(floor[i]).value
                + " was flushed");
      }
      list.clear();
      list.add(shown);
      floor[i] = 0;
    }
    endAll();
  }

  /** Regions that were in use since the power cut before count as changed. */
  private void doubt() {
    for (int block = 0; block < touched.length; block++) {
      int first = block / REGION_BLOCKS * REGION_BLOCKS;
      boolean used = false;
      for (int b = first; b < Math.min(touched.length, first + REGION_BLOCKS); b++) {
        used |= touched[b] > lastCut;
      }
      if (used) {
        doubted[block] = clock.now();
      }
    }
  }

  /** Whether writes that were answered may be lost by the disk's own fault. */
  boolean isUnreliable() {
    return flushesFail;
  }

  private void endAll() {
    long now = clock.tick();
    activeTakes = 0;
    for (List<Version> list : versions) {
      for (Version version : list) {
        if (version.isUnderWay()) {
          version.end = now;
        }
      }
    }
  }

  /** A take begins: remembers from which version on each sector may be shown. */
  int[] takeBegins() {
    activeTakes++;
    int[] base = new int[sectors];
    for (int i = 0; i < sectors; i++) {
      List<Version> list = versions.get(i);
      int at = list.size() - 1;
      while (list.get(at).isUnderWay()) {
        at--;
      }
      base[i] = at;
    }
    return base;
  }

  /** A take has ended; what each sector may show of it. */
  List<List<Version>> takeEnds(int[] base) {
    activeTakes--;
    List<List<Version>> shown = new ArrayList<>();
    for (int i = 0; i < sectors; i++) {
      shown.add(List.copyOf(versions.get(i).subList(base[i], versions.get(i).size())));
    }
    return shown;
  }
}
