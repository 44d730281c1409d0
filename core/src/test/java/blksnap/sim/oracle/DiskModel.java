package blksnap.sim.oracle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

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

  /** As it is served. */
  int sectors;

  /** Most sectors that it ever has; those beyond its end show zeroes if it grows. */
  final int capacity;

  private final Clock clock;
  private final List<List<Version>> versions = new ArrayList<>();

  /** The sizes that the file may have, oldest first, in sectors. */
  private final List<Version> sizes = new ArrayList<>();

  private int sizeFloor;

  /** What a resize that is under way cuts off. */
  private @Nullable Version cutOff;

  /** Resizes that were begun, and those that ended. */
  int resizes;

  /** How often it was detached. */
  int detaches;

  /** Requests of clients that are under way. */
  int requests;

  /** Whether it is not attached, or about to be detached. */
  boolean away;

  /** The engine died while its size was changed, and none was loaded since. */
  boolean halfResized;

  /** Somebody resizes or detaches it. */
  boolean busy;

  /** What its numbers belong to. */
  @Nullable UUID generation;

  /** Of the latest take that was answered. */
  int lastNumber;

  /** Why its numbers may begin anew; empty: nothing may make them. */
  String restart = "";

  /** The state directory failed, the engine said so, and then its time was over. */
  boolean marksLost;

  /** Index of the version of each sector that a power cut cannot take. */
  private final int[] floor;

  /** When each block was last changed, or marked, by anybody. */
  private final long[] touched;

  /** When the region of each block was last in use though nobody touched the block. */
  private final long[] opened;

  /** Writes to images, which count as changes of the device, and of images taken since. */
  private final List<ImageWrite> imageWrites = new ArrayList<>();

  private int activeTakes;

  /**
   * A flush failed: what was written before may never reach the disk, whatever later ones of the
   * same engine say.
   */
  private boolean flushesFail;

  /** Nobody could note that a flush failed, so that no load makes it good. */
  private boolean stayInDoubt;

  /** Syncs that had failed when the device was last loaded, which made them good. */
  private long madeGood;

  /** When the latest power cut was after which a block may count as changed without being so. */
  private final long[] doubted;

  private long lastCut = -1;

  /** A write to the image of a take that began at {@code taken}. */
  private record ImageWrite(int first, int count, long taken, Version done) {}

  public DiskModel(String name, int sectors, int capacity, Clock clock) {
    this.name = name;
    this.sectors = sectors;
    this.capacity = capacity;
    this.clock = clock;
    this.floor = new int[capacity];
    this.touched = new long[(capacity + BLOCK_SECTORS - 1) / BLOCK_SECTORS];
    this.opened = new long[touched.length];
    this.doubted = new long[touched.length];
    Arrays.fill(doubted, -1);
    sizes.add(done(sectors));
    for (int i = 0; i < capacity; i++) {
      versions.add(new ArrayList<>(List.of(done(0))));
    }
  }

  private Version done(long value) {
    var version = new Version(value, clock.now());
    version.end = clock.now();
    return version;
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

  /**
   * When each block was last touched; what is under way may mark its blocks at any moment. A block
   * that only counts as changed since a power cut is among them.
   */
  long[] touches() {
    long[] touches = new long[touched.length];
    for (int block = 0; block < touches.length; block++) {
      touches[block] = Math.max(touched[block], doubted[block]);
      for (int i = block * BLOCK_SECTORS;
          i < Math.min(capacity, (block + 1) * BLOCK_SECTORS);
          i++) {
        if (versions.get(i).stream().anyMatch(Version::isUnderWay)) {
          touches[block] = clock.now();
        }
      }
    }
    return touches;
  }

  /** A write to an image begins; its value is of no account. */
  Version beginImageWrite(TakeModel take, int first, int count) {
    var done = new Version(0, clock.now());
    imageWrites.add(new ImageWrite(first, count, take.start, done));
    touch(first, count);
    return done;
  }

  /** It was answered. */
  void endImageWrite(Version done, int first, int count) {
    done.end = clock.now();
    touch(first, count);
  }

  /**
   * Whether, after {@code time}, an image was written there whose take may be earlier than one that
   * was answered at {@code answered}.
   */
  boolean imageTouchedSince(int block, long time, long answered) {
    return imageWrites.stream()
        .anyMatch(write ->
            write.taken <= answered
                && write.done.end >= time
                && write.first / BLOCK_SECTORS <= block
                && block <= (write.first + write.count - 1) / BLOCK_SECTORS);
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

  /** It succeeded while the size changed: what is there is later than a cut that came meanwhile. */
  void landed(Version version, int first, long[] found) {
    for (int i = 0; i < found.length; i++) {
      if (found[i] == version.value) {
        forget(first + i, version);
        versions.get(first + i).add(version);
      }
    }
  }

  /** It failed: each sector is as before, or new. */
  public void failed(Version version, int first, long[] found) {
    for (int i = 0; i < found.length; i++) {
      if (found[i] != version.value) {
        forget(first + i, version);
      }
      if (cutOff == null) {
        requireCurrent(first + i, found[i], "after a write that failed");
      }
    }
    version.end = clock.tick();
    touch(first, found.length);
  }

  boolean isResizing() {
    return cutOff != null;
  }

  /** Whether a resize under way makes it shorter, and so begins a generation. */
  boolean isShrinking() {
    return isResizing() && sizes.getLast().value < sectors;
  }

  /** Its size is being changed; what is cut off shows zeroes if it ever comes back. */
  void beginResize(int to) {
    var zeroes = new Version(0, clock.tick());
    cutOff = zeroes;
    resizes++;
    sizes.add(new Version(to, clock.now()));
    for (int i = to; i < sectors; i++) {
      versions.get(i).add(zeroes);
    }
    touchEnd(to);
  }

  private void touchEnd(int to) {
    int first = Math.min(sectors, to) / BLOCK_SECTORS * BLOCK_SECTORS;
    touch(first, Math.max(sectors, to) - first);
    opened[(to - 1) / BLOCK_SECTORS] = clock.now();
  }

  /** It has the new size. */
  void endResize() {
    Version size = sizes.getLast();
    touchEnd((int) size.value);
    for (int i = (int) size.value; i < sectors; i++) {
      versions.get(i).add(new Version(0, size.start)); // last, whoever wrote there meanwhile
    }
    size.end = clock.tick();
    for (int i = (int) size.value; i < sectors; i++) {
      versions.get(i).getLast().end = clock.now();
    }
    endCut();
    resizes++;
    sectors = (int) size.value;
  }

  private void endCut() {
    Version zeroes = cutOff;
    if (zeroes != null && zeroes.isUnderWay()) {
      zeroes.end = clock.now();
    }
    cutOff = null;
  }

  /**
   * The change of its size failed.
   *
   * @param found sectors that the file has
   */
  void resizeFailed(int found) {
    if (found == sizes.getLast().value) {
      endResize();
      return;
    }
    sizes.removeLast();
    resizes++;
    Version zeroes = cutOff;
    for (int i = 0; zeroes != null && i < capacity; i++) {
      forget(i, zeroes);
    }
    cutOff = null;
  }

  /** It never was; what was flushed since stays so. */
  private void forget(int sector, Version version) {
    int at = versions.get(sector).indexOf(version);
    if (at >= 0) {
      versions.get(sector).remove(at);
      if (at < floor[sector]) {
        floor[sector]--;
      }
    }
  }

  /** Somebody who is not tracked writes. */
  void othersWrote(int first, int count, long value) {
    end(begin(first, count, value), first, count);
  }

  void othersResized(int to) {
    beginResize(to);
    endResize();
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
   * @param failed syncs so far: after one the kernel knows nothing any more of what it lost
   */
  public void flushed(long start, long failed) {
    flushesFail |= failed > madeGood;
    if (flushesFail) {
      return;
    }
    sizeFloor = madeDurable(sizes, sizeFloor, start);
    for (int i = 0; i < capacity; i++) {
      floor[i] = madeDurable(versions.get(i), floor[i], start);
    }
  }

  /** A resize that began at {@code start} was acknowledged, and a power cut cannot take it. */
  void resizeFlushed(long start, long failed) {
    flushed(start, failed);
    if (!flushesFail) {
      sizeFloor = sizes.size() - 1;
    }
  }

  /** The new floor of a list, which begins with it if nobody counts its elements. */
  private int madeDurable(List<Version> list, int floorNow, long start) {
    int next = floorNow;
    for (int v = list.size() - 1; v > floorNow; v--) {
      if (list.get(v).end < start) {
        next = v;
        break;
      }
    }
    if (activeTakes == 0 && next > 0) {
      list.subList(0, next).clear();
      return 0;
    }
    return next;
  }

  /** The process was killed: what is shown must be acknowledged, or was under way. */
  void killed(long[] found) {
    while (sizes.getLast().value != found.length) {
      if (!sizes.getLast().isUnderWay()) {
        throw new Violation("disk " + name + " has " + found.length + " sectors after a kill");
      }
      sizes.removeLast();
    }
    sectors = found.length;
    for (int i = 0; i < sectors; i++) {
      List<Version> list = versions.get(i);
      if (list.stream().anyMatch(Version::isUnderWay)) {
        touch(i, 1); // it may have marked its blocks a moment ago, after a wait for room
      }
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
    for (int i = sectors; i < capacity; i++) {
      if (versions.get(i).getLast().value != 0) {
        versions.get(i).add(done(0));
      }
    }
  }

  /** The power went: any version since the last flush may be there. */
  void cut(long[] found) {
    doubt();
    stayInDoubt = false;
    lastCut = clock.now();
    if (sizes.subList(sizeFloor, sizes.size()).stream().noneMatch(v -> v.value == found.length)) {
      throw new Violation("disk " + name + " has " + found.length + " sectors after a power cut");
    }
    long cutAt = isResizing() ? sizes.getLast().value : Long.MAX_VALUE;
    sizes.clear();
    sizes.add(done(found.length));
    sizeFloor = 0;
    sectors = found.length;
    for (int i = sectors; i < capacity; i++) {
      versions.get(i).clear();
      versions.get(i).add(done(0));
      floor[i] = 0;
    }
    for (int i = 0; i < sectors; i++) {
      List<Version> list = versions.get(i);
      Version shown = null;
      for (int v = list.size() - 1; v >= floor[i] && shown == null; v--) {
        if (list.get(v).value == found[i]) {
          shown = list.get(v);
        }
      }
      if (shown == null && i >= cutAt && found[i] == 0) {
        shown = done(0); // it was cut off, however late a write was, and only the size came back
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
        used |= touched[b] > lastCut || opened[b] > lastCut;
      }
      if (used) {
        doubted[block] = clock.now();
      }
    }
  }

  /**
   * It was attached again: what failed syncs had lost was written again and flushed.
   *
   * @param failed syncs so far
   */
  void loaded(long failed) {
    flushesFail = stayInDoubt;
    madeGood = failed;
  }

  /** A flush failed, and that may not have been noted, so that the next load does not know. */
  void doubtForGood() {
    stayInDoubt = true;
  }

  /** Whether writes that were answered may be lost by the disk's own fault. */
  boolean isUnreliable() {
    return flushesFail;
  }

  private void endAll() {
    long now = clock.tick();
    activeTakes = 0;
    sizes.getLast().end = Math.min(sizes.getLast().end, now);
    cutOff = null;
    requests = 0;
    busy = false;
    away = false;
    for (ImageWrite write : imageWrites) {
      write.done.end = Math.min(write.done.end, now);
    }
    for (List<Version> list : versions) {
      for (Version version : list) {
        if (version.isUnderWay()) {
          version.end = now;
        }
      }
    }
  }

  /** The sizes that a take which began at {@code start} may show. */
  boolean hadSectors(long start, int count) {
    Version before = sizes.getFirst();
    for (Version size : sizes) {
      if (size.end < start) {
        before = size;
      } else if (size.value == count) {
        return true;
      }
    }
    return before.value == count;
  }

  /** A take begins: remembers from which version on each sector may be shown. */
  Version[] takeBegins() {
    activeTakes++;
    var base = new Version[capacity];
    for (int i = 0; i < capacity; i++) {
      List<Version> list = versions.get(i);
      int at = list.size() - 1;
      while (list.get(at).isUnderWay()) {
        at--;
      }
      base[i] = list.get(at);
    }
    return base;
  }

  /** A take has ended; what each sector may show of it. */
  List<List<Version>> takeEnds(Version[] base) {
    activeTakes--;
    List<List<Version>> shown = new ArrayList<>();
    for (int i = 0; i < capacity; i++) {
      List<Version> list = versions.get(i);
      int first = list.indexOf(base[i]); // what failed before it is no longer in the list
      shown.add(List.copyOf(list.subList(first, list.size())));
    }
    return shown;
  }
}
