package blksnap.diffarea;

import blksnap.device.BlockDevice;
import blksnap.diffstorage.Location;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongConsumer;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/**
 * All areas of one device, oldest first, and who preserves: the newest that is not retired. A block
 * needs preserving when neither that area nor a newer, retired one holds it.
 *
 * <p>Adding, retiring and unlinking need the write gate closed, preserving shares it, reading needs
 * neither: an area is unlinked only after its neighbour holds what it held, and a location stays
 * valid while anyone may still read it.
 */
public final class AreaChain {
  /** Blocks handed down between two times that it is told. */
  private static final int BLOCKS_BETWEEN_NEWS = 1024;

  private final BlockDevice original;
  private volatile List<DiffArea> areas = List.of();

  /** The newest that is not retired. */
  private volatile @Nullable DiffArea preserver;

  public AreaChain(BlockDevice original) {
    this.original = original;
  }

  BlockDevice original() {
    return original;
  }

  /** Oldest first. */
  public List<DiffArea> areas() {
    return areas;
  }

  /** Makes {@code area} the newest. Needs the write gate closed. */
  public void add(DiffArea area) {
    List<DiffArea> more = new ArrayList<>(areas);
    more.add(area);
    areas = List.copyOf(more);
    choosePreserver();
  }

  /** Stops {@code area} from preserving; it still holds its blocks. Needs the write gate closed. */
  public void retire(DiffArea area) {
    area.retire();
    choosePreserver();
  }

  /** Whether {@code area} is in the chain. */
  public boolean contains(DiffArea area) {
    return areas.contains(area);
  }

  /** Takes {@code area} out, after {@link #handDown}. Needs the write gate closed. */
  public void unlink(DiffArea area) {
    List<DiffArea> fewer = new ArrayList<>(areas);
    fewer.remove(area);
    areas = List.copyOf(fewer);
    choosePreserver();
  }

  private void choosePreserver() {
    DiffArea newest = null;
    for (DiffArea area : areas) {
      if (!area.isRetired()) {
        newest = area;
      }
    }
    preserver = newest;
  }

  /** The area that a write has to preserve into; empty when nobody needs it. */
  public Optional<DiffArea> preserver() {
    DiffArea newest = preserver;
    if (newest != null) {
      for (DiffArea area : areas) {
        if (!area.isRetired() && !area.isDismissed()) {
          return Optional.of(newest);
        }
      }
    }
    return Optional.empty(); // nobody is left who could still be shown
  }

  /**
   * What a writer does when the newest area's storage is full. Waiting wins over breaking, and the
   * longer wait over the shorter: what the newest cannot preserve is lost to the older ones too,
   * and who asked for back-pressure asked for it as long as the snapshot stands.
   */
  public FullPolicy fullPolicy() {
    FullPolicy policy = FullPolicy.BREAK;
    for (DiffArea area : areas) {
      // One that is about to retire still preserves; what it has no room for, the next one may
      // have.
      if (!area.isRetired() && (!area.isDismissed() || area.isCondemned())) {
        policy = policy.orLonger(area.fullPolicy());
      }
    }
    return policy;
  }

  /**
   * Preserves what {@code [offset, offset + length)} touches. Shares the write gate.
   *
   * @return how many bytes had to be, in whole blocks
   * @throws IOException when it could not; the caller then waits, or calls {@link #giveUp} and goes
   *     on
   */
  public long preserve(long offset, long length) throws IOException {
    DiffArea newest = preserver;
    if (newest == null) {
      return 0;
    }
    List<DiffArea> now = areas;
    long blocks =
        newest.preserve(
            original,
            offset >>> Location.BLOCK_SHIFT,
            ((offset + length - 1) >>> Location.BLOCK_SHIFT) + 1,
            group -> heldAfter(now, newest, group));
    return blocks << Location.BLOCK_SHIFT;
  }

  /** Blocks of a group that the image of {@code from} finds in an area of {@code now}. */
  static long heldFor(List<DiffArea> now, DiffArea from, long group) {
    return heldAfter(now, from, group) | from.preserved().held(group);
  }

  /** Whether the image of {@code from} finds no block in an area of {@code now}. */
  static boolean holdsNothing(List<DiffArea> now, DiffArea from) {
    return now.subList(now.indexOf(from), now.size()).stream()
        .allMatch(area -> area.preserved().isEmpty());
  }

  /** Blocks of a group that areas newer than {@code area} hold. */
  private static long heldAfter(List<DiffArea> areas, DiffArea area, long group) {
    long held = 0;
    for (int i = areas.size() - 1; i >= 0 && areas.get(i) != area; i--) {
      held |= areas.get(i).preserved().held(group);
    }
    return held;
  }

  /**
   * The range will be overwritten though it could not be preserved: every area that still needed a
   * block of it is corrupt. Shares the write gate.
   */
  public void giveUp(long offset, long length, Errno cause, String why) {
    long first = offset >>> Location.BLOCK_SHIFT;
    long last = (offset + length - 1) >>> Location.BLOCK_SHIFT;
    List<DiffArea> now = areas;
    for (int i = 0; i < now.size(); i++) {
      DiffArea area = now.get(i);
      long stop = Math.min(last, area.blocks() - 1);
      if (!area.isDismissed() && first <= stop && !heldFrom(now, i, first, stop)) {
        area.corrupt(cause, why);
      }
    }
  }

  /** Done at every checkpoint: what could not be stored of an area's end is tried again. */
  public void rememberAgain() {
    areas.forEach(DiffArea::rememberAgain);
  }

  /**
   * Stored blocks are gone: every area whose image would be read from one of them is corrupt.
   *
   * @param gone tells of each location
   */
  public void lose(LongPredicate gone, String why) {
    List<DiffArea> now = areas;
    for (int i = 0; i < now.size(); i++) {
      DiffArea area = now.get(i);
      List<DiffArea> older = now.subList(0, i);
      area.preserved()
          .forEach((block, location, checksum) -> {
            if (gone.test(location)) {
              area.corrupt(Errno.EIO, why);
              corruptThoseWithout(block, older, why);
            }
          });
      area.privateBlocks()
          .forEach((block, location, checksum) -> {
            if (gone.test(location)) {
              area.corrupt(Errno.EIO, why);
            }
          });
    }
  }

  /** An image that does not hold the block itself is shown the next newer area's. */
  private static void corruptThoseWithout(long block, List<DiffArea> older, String why) {
    for (DiffArea area : older.reversed()) {
      if (block >= area.blocks() || area.preserved().holds(block)) {
        return;
      }
      area.corrupt(Errno.EIO, why);
    }
  }

  /**
   * Whether every block of {@code [first, last]} is held by the area at {@code index} or a newer
   * one.
   */
  private static boolean heldFrom(List<DiffArea> areas, int index, long first, long last) {
    for (long block = first; block <= last; block++) {
      boolean held = false;
      for (int i = index; i < areas.size() && !held; i++) {
        held = areas.get(i).preserved().holds(block);
      }
      if (!held) {
        return false;
      }
    }
    return true;
  }

  /**
   * Gives the older neighbour of a retired area the blocks it lacks. Writers and readers go on
   * meanwhile. One hand-down of a device at a time.
   */
  public void handDown(DiffArea area) {
    handDown(area, handed -> {});
  }

  /**
   * The same.
   *
   * @param handed told now and then how many blocks were looked at
   */
  public void handDown(DiffArea area, LongConsumer handed) {
    DiffArea older = olderThan(area);
    if (older == null) {
      return;
    }
    IOException[] failure = new IOException[1];
    long[] looked = new long[1];
    area.preserved()
        .forEach((block, location, checksum) -> {
          if (looked[0]++ % BLOCKS_BETWEEN_NEWS == 0) {
            handed.accept(looked[0]);
          }
          if (block < older.blocks() && !older.preserved().holds(block)) {
            try {
              older.adopt(block, location, checksum);
            } catch (IOException e) {
              failure[0] = e; // held in memory all the same, but a restart would not know it
            }
          }
        });
    try {
      if (older.config().syncEach()) {
        older.force();
      }
    } catch (IOException e) {
      failure[0] = e;
    }
    if (failure[0] != null) {
      Errno cause = failure[0] instanceof BlkSnapException e ? e.errno() : Errno.EIO;
      older.corrupt(cause, "its mappings cannot be stored: " + failure[0].getMessage());
    }
  }

  /**
   * Releases what an unlinked area held and its older neighbour, {@code older}, did not take over.
   */
  public static void releaseAfter(DiffArea area, @Nullable DiffArea older) {
    try (var releasing = new ReleaseRuns(area)) {
      area.preserved()
          .forEach((block, location, checksum) -> {
            if (older == null || !older.holdsAt(block, location)) {
              releasing.add(location);
            }
          });
      area.privateBlocks().forEach((block, location, checksum) -> releasing.add(location));
    }
  }

  /** The next older area that is not retired itself, or null. */
  public @Nullable DiffArea olderThan(DiffArea area) {
    DiffArea older = null;
    for (DiffArea candidate : areas) {
      if (candidate == area) {
        return older;
      }
      older = candidate;
    }
    throw new IllegalArgumentException("area " + area.config().id() + " is not in the chain");
  }

  /**
   * Finds blocks of one group for the image of {@code from}; the oldest area that holds a block
   * wins.
   */
  int find(
      List<DiffArea> now,
      DiffArea from,
      long first,
      int count,
      long[] locations,
      int[] sums,
      int at) {
    boolean started = false;
    int absent = count;
    for (DiffArea area : now) {
      started |= area == from;
      if (started && absent > 0) {
        absent = area.preserved().find(first, count, locations, sums, at);
      }
    }
    return absent;
  }

  /** What {@link #areas} is right now, for {@link #find}; must be read after the device was. */
  List<DiffArea> now(DiffArea from) throws BlkSnapException {
    List<DiffArea> now = areas;
    if (!now.contains(from)) {
      throw new BlkSnapException(Errno.ESHUTDOWN, "the snapshot is being destroyed");
    }
    return now;
  }
}
