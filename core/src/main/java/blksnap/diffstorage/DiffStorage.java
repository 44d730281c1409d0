package blksnap.diffstorage;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.ByteRange;
import blksnap.sector.SectorRange;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The diff storage that was made for one snapshot: ranges of files and block devices, used in
 * order, each block handed out once. Blocks may outlive the snapshot, when an older one needs them;
 * the storage goes when its snapshot and the last block are gone.
 *
 * <p>Safe from many threads. I/O runs outside the lock.
 */
public final class DiffStorage implements Closeable {
  /** A run of blocks that belongs to who asked for it. */
  public record Region(long location, int blocks) {}

  /**
   * How much there is, in bytes.
   *
   * @param free what can really still be used
   * @param fullInSeconds at the present rate; empty when that cannot be told
   */
  public record Space(
      long capacity, long filled, OptionalLong limit, long free, OptionalLong fullInSeconds) {}

  /**
   * What was cut off a range.
   *
   * @param firstBlock of those that are gone
   * @param sentence that says so, without a full stop
   */
  public record Cut(int range, long firstBlock, String sentence) {
    /** Whether a block of {@code storage} at {@code location} is gone. */
    public boolean took(int storage, long location) {
      return location != Location.ZEROES
          && Location.storage(location) == storage
          && Location.range(location) == range
          && Location.block(location) >= firstBlock;
    }
  }

  private final int number;
  private final UUID snapshot;
  private final Parameters parameters;
  private final StorageListener listener;
  private final LongSupplier nanoClock;
  private final RoomWait roomWait;

  /**
   * Guards everything below but the elements' own I/O; never held across I/O but growing a file.
   */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition moreRoom = lock.newCondition();

  /** Written under the lock, read without it: a range is never taken out. */
  private volatile List<StorageRange> ranges = List.of();

  @GuardedBy("lock")
  private final BlockAllocator allocator;

  /** How often ranges were added. */
  @GuardedBy("lock")
  private long additions;

  @GuardedBy("lock")
  private boolean owned = true;

  @GuardedBy("lock")
  private final RoomWarnings warnings = new RoomWarnings();

  private final RangeWatch watch = new RangeWatch();

  /** Whether the last try found no room; told once until a write succeeds. */
  private volatile boolean full;

  @GuardedBy("lock")
  private boolean removing;

  @GuardedBy("lock")
  private boolean closed;

  /**
   * Ranges that could not be opened again; null while there is no such. Then there are no others.
   */
  private final @Nullable List<RangeDescription> unopened;

  private volatile boolean written;

  DiffStorage(
      int number,
      UUID snapshot,
      Parameters parameters,
      StorageListener listener,
      LongSupplier nanoClock,
      RoomWait roomWait) {
    this(number, snapshot, parameters, listener, nanoClock, roomWait, null);
  }

  /**
   * @param unopened ranges that cannot be opened, as far as they are known: nothing can be stored
   *     then. Null: it is as it should be
   */
  DiffStorage(
      int number,
      UUID snapshot,
      Parameters parameters,
      StorageListener listener,
      LongSupplier nanoClock,
      RoomWait roomWait,
      @Nullable List<RangeDescription> unopened) {
    this.unopened = unopened;
    this.number = number;
    this.allocator = new BlockAllocator(number);
    this.snapshot = snapshot;
    this.parameters = parameters;
    this.listener = listener;
    this.nanoClock = nanoClock;
    this.roomWait = roomWait;
  }

  /** The number that its {@link Location}s carry. */
  public int number() {
    return number;
  }

  /** The snapshot it was made for. */
  public UUID snapshot() {
    return snapshot;
  }

  /** A file of it that lies on the file system with this number, if there is one. */
  public Optional<String> fileOn(long device) {
    return ranges.stream()
        .filter(range -> range.identity().isRegularFile() && range.identity().device() == device)
        .map(range -> range.description().path().toString())
        .findFirst();
  }

  /** Whether it was given no room yet. One that could not be opened again is not empty. */
  public boolean isEmpty() {
    return ranges.isEmpty() && unopened == null;
  }

  /** What to remember to open it again. */
  public List<RangeDescription> describe() {
    return ranges.stream().map(StorageRange::description).toList();
  }

  /**
   * Adds parts of a file or block device that is there; writers that wait for room go on.
   *
   * @param parts empty: all of it
   * @param keeper remembers the ranges before they are used
   * @throws BlkSnapException {@code EINVAL} for a part that is not aligned to 8 sectors, ends
   *     beyond the file, overlaps another, or is too short; {@code EEXIST} when a whole file holds
   *     data; {@code EBUSY} when it is in use
   */
  public void append(Path path, List<SectorRange> parts, RangeKeeper keeper) throws IOException {
    List<StorageRange> opened = new ArrayList<>();
    boolean added = false;
    try {
      if (parts.isEmpty()) {
        opened.add(StorageRange.fixed(path, Optional.empty(), OptionalLong.empty()));
      }
      for (SectorRange part : parts) {
        opened.add(openPart(path, part.bytes(), opened));
      }
      add(opened, keeper);
      added = true;
    } finally {
      if (!added) {
        for (StorageRange range : opened) {
          range.close();
        }
      }
    }
  }

  /** A second part of one file shares the first one's claim on it. */
  private StorageRange openPart(Path path, ByteRange part, List<StorageRange> siblings)
      throws IOException {
    FileStatus wanted;
    try (NativeFile file = NativeFile.open(path, Set.of(NativeFile.Flag.IDENTIFY))) {
      wanted = file.stat();
    }
    for (StorageRange sibling : concat(ranges, siblings)) {
      if (sibling.identity().sameAs(wanted)) {
        return sibling.sibling(part);
      }
    }
    return StorageRange.fixed(path, Optional.of(part), OptionalLong.empty());
  }

  private static List<StorageRange> concat(List<StorageRange> a, List<StorageRange> b) {
    List<StorageRange> both = new ArrayList<>(a);
    both.addAll(b);
    return both;
  }

  /** Remembers what a storage is made of, durably. */
  public interface RangeKeeper {
    void keep(DiffStorage storage, List<RangeDescription> ranges) throws IOException;

    /** It came to nothing. */
    default void forget(DiffStorage storage) throws IOException {}
  }

  /**
   * Writes the headers, has all ranges remembered, then lets them be used: a restart must know a
   * range before a block is in it. On failure none was added.
   */
  void add(List<StorageRange> added, RangeKeeper keeper) throws IOException {
    lock.lock();
    try {
      if (unopened != null) {
        throw new BlkSnapException(
            Errno.EIO, "diff storage of snapshot " + snapshot + " is missing, and takes no more");
      }
      List<StorageRange> all = new ArrayList<>(ranges);
      for (StorageRange range : added) {
        for (StorageRange other : all) {
          if (range.overlaps(other)) {
            throw new BlkSnapException(
                Errno.EINVAL,
                "range of " + range.description().path() + " overlaps diff storage in use");
          }
        }
        all.add(range);
      }
      if (all.size() > Location.MAX_RANGES) {
        throw new BlkSnapException(
            Errno.ENOSPC, "diff storage has its most of " + Location.MAX_RANGES + " ranges");
      }
      for (int i = ranges.size(); i < all.size(); i++) {
        StorageRange range = all.get(i);
        if (range.description().growable()) {
          grow(range);
        }
        range.write(0, new StorageHeader(snapshot, number, i).encode());
        range.sync();
      }
      keeper.keep(this, all.stream().map(StorageRange::description).toList());
      ranges = List.copyOf(all);
      warnings.reset();
      full = false;
      additions++;
      moreRoom.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** The ranges of an earlier process, which have their headers. */
  void restore(List<StorageRange> restored) {
    lock.lock();
    try {
      ranges = List.copyOf(restored);
    } finally {
      lock.unlock();
    }
  }

  private void grow(StorageRange range) throws IOException {
    long portion = portionBytes();
    long to = Math.min(range.maximumBytes(), Math.max(range.bytes() + portion, portion));
    range.growTo(to & -Location.BLOCK_BYTES);
  }

  private long portionBytes() {
    return parameters.get(Parameter.DIFF_STORAGE_MINIMUM) << SectorRange.SECTOR_SHIFT;
  }

  /**
   * Hands out up to {@code blocks} blocks that follow each other, at least one.
   *
   * @throws BlkSnapException {@code ENOSPC} when there is none left
   */
  public Region allocate(int blocks) throws IOException {
    boolean nowFull = false;
    RoomWarnings.Due due = RoomWarnings.Due.NOTHING;
    Region region = null;
    lock.lock();
    try {
      region = allocator.next(ranges, blocks, this::grow);
      if (region == null) {
        nowFull = !full;
        full = true;
      } else {
        long now = nanoClock.getAsLong();
        if (warnings.handedOut(region.blocks, now)) {
          due =
              warnings.due(
                  allocator.freeBytes(ranges), allocator.handedOutBytes(), portionBytes(), now);
        }
      }
    } finally {
      lock.unlock();
    }
    due.fullInSeconds().ifPresent(listener::fullSoon);
    long requested = parameters.get(Parameter.DIFF_STORAGE_MINIMUM);
    if (due.low()) {
      listener.low(requested);
    }
    if (nowFull) {
      listener.full(requested);
    }
    if (region == null) {
      throw noSpace();
    }
    return region;
  }

  private BlkSnapException noSpace() {
    Space space = space();
    return new BlkSnapException(
        Errno.ENOSPC,
        "diff storage is full: "
            + space.filled()
            + " of "
            + space.capacity()
            + " bytes are filled");
  }

  /** How much there is now. */
  public Space space() {
    lock.lock();
    try {
      long capacity = 0;
      long limit = 0;
      boolean limited = !ranges.isEmpty();
      for (StorageRange range : ranges) {
        capacity += range.bytes();
        if (range.description().limitBytes().isPresent()) {
          limit += range.description().limitBytes().getAsLong();
        } else {
          limited = false;
        }
      }
      long free;
      try {
        free = closed ? 0 : allocator.freeBytes(ranges);
      } catch (IOException e) {
        free = 0; // a storage that cannot say what it has left has nothing
      }
      return new Space(
          capacity,
          allocator.liveBlocks() << Location.BLOCK_SHIFT,
          limited ? OptionalLong.of(limit) : OptionalLong.empty(),
          free,
          warnings.secondsUntil(free, nanoClock.getAsLong()));
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits until there may be room again: something was appended, or it is time to ask the file
   * system.
   *
   * @return false when the storage is gone
   */
  public boolean awaitRoom(long millis) throws InterruptedException {
    lock.lock();
    try {
      long before = additions;
      long left = TimeUnit.MILLISECONDS.toNanos(millis);
      while (additions == before && owned && !closed && left > 0) {
        left = roomWait.await(moreRoom, left);
      }
      return owned && !closed;
    } finally {
      lock.unlock();
    }
  }

  /** Fills {@code target} from the blocks at {@code location} on; may end inside a block. */
  public void read(long location, ByteBuffer target) throws IOException {
    range(location).read(Location.block(location), target);
  }

  /** Writes whole blocks at {@code location} on. */
  public void write(long location, ByteBuffer source) throws IOException {
    written = true;
    range(location).write(Location.block(location), source);
    full = false;
  }

  private StorageRange range(long location) throws BlkSnapException {
    List<StorageRange> now = ranges;
    int index = Location.range(location);
    if (index >= now.size()) {
      throw new BlkSnapException(
          Errno.EIO, "range " + index + " of diff storage " + number + " is missing");
    }
    return now.get(index);
  }

  /**
   * Looks whether its files are still what they were; what others did to them is told once, by
   * {@code told}.
   *
   * @return ranges that were cut short since the last look
   */
  public List<Cut> look(Consumer<String> told) {
    return watch.look(ranges, told);
  }

  /** What the last {@link #look} found, for people; empty while all is well. */
  public Optional<String> trouble() {
    return watch.trouble();
  }

  /** Makes what was written durable. */
  public void sync() throws IOException {
    if (written) {
      for (StorageRange range : ranges) {
        range.sync();
      }
    }
  }

  /**
   * Gives blocks up, which nobody reads any more. While the snapshot lives they are handed out
   * again; after it their space goes back to the file system where that works, and if not, with the
   * file.
   */
  public void release(long location, long blocks) {
    boolean punch;
    lock.lock();
    try {
      allocator.release(location, blocks, owned);
      punch = !owned && allocator.liveBlocks() != 0; // with the last block the file itself goes
    } finally {
      lock.unlock();
    }
    if (punch) {
      try {
        range(location).punch(Location.block(location), blocks);
      } catch (IOException e) {
        // Only space is lost, and only until the file goes; a full or read-only disk must not stop
        // a destroy.
      }
    }
  }

  /**
   * Takes back a region that nothing was kept in, as if it had not been handed out where that is
   * possible.
   */
  public void giveBack(Region region) {
    lock.lock();
    try {
      if (allocator.takeBack(region)) {
        return;
      }
    } finally {
      lock.unlock();
    }
    release(region.location, region.blocks);
  }

  /** A write found the file system below full, whatever the limit says. */
  public void fullBelow() {
    boolean nowFull;
    lock.lock();
    try {
      nowFull = !full;
      full = true;
    } finally {
      lock.unlock();
    }
    if (nowFull) {
      listener.full(parameters.get(Parameter.DIFF_STORAGE_MINIMUM));
    }
  }

  /** Counts blocks that a recovery found in use, and goes on after the highest of them. */
  public void adopt(long location, long blocks) {
    lock.lock();
    try {
      allocator.adopt(ranges, location, blocks);
    } finally {
      lock.unlock();
    }
  }

  /** The snapshot that it was made for is gone; writers that wait for room stop waiting. */
  public void disown() {
    lock.lock();
    try {
      owned = false;
      moreRoom.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Whether neither its snapshot nor a block needs it any more, and nobody is removing it yet. */
  boolean beginRemoval() {
    lock.lock();
    try {
      boolean begins = !removing && !owned && allocator.liveBlocks() == 0;
      removing |= begins;
      return begins;
    } finally {
      lock.unlock();
    }
  }

  /** Closes it and removes the files that were made for it; goes through all even if one fails. */
  public void remove() throws IOException {
    closeAll(true);
  }

  @Override
  public void close() throws IOException {
    closeAll(false);
  }

  private void closeAll(boolean remove) throws IOException {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      moreRoom.signalAll();
    } finally {
      lock.unlock();
    }
    IOException failure = null;
    for (StorageRange range : ranges) {
      try {
        if (remove) {
          range.remove();
        } else {
          range.close();
        }
      } catch (IOException e) {
        failure = e;
      }
    }
    if (remove && unopened != null) {
      for (int i = 0; i < unopened.size(); i++) {
        try {
          StorageRange.removeUnopened(unopened.get(i), new StorageHeader(snapshot, number, i));
        } catch (IOException e) {
          failure = e;
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
