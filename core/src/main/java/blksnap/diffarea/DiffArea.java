package blksnap.diffarea;

import blksnap.buffer.BufferPool;
import blksnap.device.BlockDevice;
import blksnap.diffio.BlockChecksum;
import blksnap.diffio.DiffIo;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.Location;
import blksnap.diffstorage.StorageTable;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongConsumer;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The old blocks of one device that were preserved since one take, and the blocks that were written
 * to the image of it. Chunks are the unit of locking; within a chunk only the 4 KiB blocks about to
 * be overwritten are copied.
 */
public final class DiffArea implements Closeable {
  private static final int MAX_COPY_BLOCKS = DiffIo.MAX_COPY_BYTES / Location.BLOCK_BYTES;

  private static final int MOST_TRIES = 4;

  /** Stands in the place of a corruption for an area that is on its way out. */
  private static final Errno CONDEMNED = Errno.ESHUTDOWN;

  private final AreaConfig config;
  private final DiffStorage storage;
  private final StorageTable storages;
  private final DiffIo diffIo;
  private final AreaListener listener;
  private final @Nullable MappingLog log;
  private final BlockMap preserved = new BlockMap();
  private final BlockMap privateBlocks = new BlockMap();
  private final ChunkLocks preserveLocks = new ChunkLocks();
  private final AtomicReference<@Nullable Errno> corruption = new AtomicReference<>();

  /** Held while that it is corrupt is stored: who comes then waits for it. */
  private final ReentrantLock endLock = new ReentrantLock();

  /** It is corrupt, and that is stored, or cannot be: nothing needs to be preserved for it. */
  private volatile boolean dismissed;

  /** It is corrupt, and a restart may not know it. */
  private volatile boolean unremembered;

  /**
   * Set when its snapshot is being destroyed: it does not preserve any more. Changed with the write
   * gate closed.
   */
  private volatile boolean retired;

  private DiffArea(
      AreaConfig config,
      DiffStorage storage,
      StorageTable storages,
      DiffIo diffIo,
      AreaListener listener,
      Start start)
      throws IOException {
    this.config = config;
    this.storage = storage;
    this.storages = storages;
    this.diffIo = diffIo;
    this.listener = listener;
    if (config.logDirectory().isEmpty()) {
      this.log = null;
    } else if (start != Start.EMPTY) {
      boolean powerLost = start == Start.AFTER_POWER_LOSS;
      // What was not durable at once may tell of blocks that others have had since.
      MappingLog.Replay replay =
          powerLost && !config.syncEach()
              ? (_, _, _, _, _) -> {}
              : new Refill(config, preserved, privateBlocks);
      this.log = MappingLog.open(config.logDirectory().get(), config.id(), powerLost, replay);
      boolean opened = false;
      try {
        recoverEnd();
        opened = true;
      } finally {
        if (!opened) {
          log.close();
        }
      }
    } else {
      this.log = MappingLog.create(config.logDirectory().get(), config.id());
    }
  }

  /** What there is to begin with. */
  private enum Start {
    EMPTY,
    AFTER_KILL,
    AFTER_POWER_LOSS
  }

  /** Puts replayed records back; later ones win. */
  private record Refill(AreaConfig config, BlockMap preserved, BlockMap privateBlocks)
      implements MappingLog.Replay {
    @Override
    public void record(int kind, long block, long location, int count, int checksum)
        throws BlkSnapException {
      boolean zeroes = location == Location.ZEROES;
      boolean placed =
          zeroes || (location >= 0 && StorageTable.isNumber(Location.storage(location)));
      long blocks = ((config.sizeBytes() - 1) >>> Location.BLOCK_SHIFT) + 1;
      if ((kind != MappingLog.PRESERVED && kind != MappingLog.PRIVATE)
          || !placed
          || count < 1
          || (count > 1 && !zeroes)
          || block < 0
          || block > blocks - count) {
        throw new BlkSnapException(
            Errno.EBADMSG,
            "a mapping of area %s cannot be: kind %d, block %d of %d, location %d, count %d"
                .formatted(config.id(), kind, block, blocks, location, count));
      }
      BlockMap map = kind == MappingLog.PRESERVED ? preserved : privateBlocks;
      for (int i = 0; i < count; i++) {
        map.put(block + i, location == Location.ZEROES ? location : location + i, checksum);
      }
    }
  }

  /** An empty area that puts old blocks into {@code storage}. */
  public static DiffArea create(
      AreaConfig config,
      DiffStorage storage,
      StorageTable storages,
      DiffIo diffIo,
      AreaListener listener)
      throws IOException {
    return new DiffArea(config, storage, storages, diffIo, listener, Start.EMPTY);
  }

  /**
   * The area of an earlier process, from its mappings; its blocks are counted as in use in their
   * storages. After a power loss one that was not synced block by block has none.
   */
  public static DiffArea recover(
      AreaConfig config,
      DiffStorage storage,
      StorageTable storages,
      DiffIo diffIo,
      AreaListener listener,
      boolean powerLost)
      throws IOException {
    return new DiffArea(
        config,
        storage,
        storages,
        diffIo,
        listener,
        powerLost ? Start.AFTER_POWER_LOSS : Start.AFTER_KILL);
  }

  public AreaConfig config() {
    return config;
  }

  /** Blocks of the device as the take saw it. */
  long blocks() {
    return ((config.sizeBytes() - 1) >>> Location.BLOCK_SHIFT) + 1;
  }

  BlockMap preserved() {
    return preserved;
  }

  BlockMap privateBlocks() {
    return privateBlocks;
  }

  /** Blocks that take storage: old data, and what was written to the image. */
  public long blocksStored() {
    return preserved.storedBlocks() + privateBlocks.storedBlocks();
  }

  /** Whether a block of it lies in the storage of this number. */
  public boolean hasBlocksIn(int storageNumber) {
    var found = new AtomicBoolean();
    BlockMap.Visitor visitor =
        (block, location, checksum) -> {
          if (location != Location.ZEROES && Location.storage(location) == storageNumber) {
            found.setPlain(true);
          }
        };
    preserved.forEach(visitor);
    privateBlocks.forEach(visitor);
    return found.getPlain();
  }

  /** Chunks with a preserved block. */
  public long chunksTouched() {
    return preserved.chunksTouched(config.chunkShift() - Location.BLOCK_SHIFT);
  }

  /** Whether nothing was preserved or written to its image. */
  public boolean isEmpty() {
    return preserved.isEmpty() && privateBlocks.isEmpty();
  }

  /** Why it cannot be read any more; empty while it is good. */
  public Optional<Errno> corruption() {
    return Optional.ofNullable(corruption.get());
  }

  /**
   * Whether what it still needs may be overwritten: it is corrupt, or on its way out, and a restart
   * knows that.
   */
  boolean isDismissed() {
    return dismissed;
  }

  /**
   * Makes it corrupt for good; the first cause counts and is told to the listener. It is remembered
   * before this returns, whoever began that, so that no restart takes the area for good.
   */
  public void corrupt(Errno cause, String why) {
    boolean first = corruption.compareAndSet(null, cause);
    endLock.lock();
    try {
      if (!dismissed) {
        Errno now = corruption.get();
        remember(now == null ? cause : now);
        dismissed = true;
      }
    } finally {
      endLock.unlock();
    }
    if (first) {
      listener.corrupted(cause, why);
    }
  }

  /** What a dead engine stored, it may not have made durable. */
  private void recoverEnd() throws IOException {
    forceLog();
    if (log != null && log.corruption() != 0) {
      Errno cause = Errno.of(log.corruption());
      corruption.set(cause);
      remember(cause);
      dismissed = true;
    }
  }

  /** Tries more than once: nothing else keeps a restart from showing what is not there any more. */
  private void remember(Errno cause) {
    String failure = "";
    for (int tries = 0; tries < MOST_TRIES; tries++) {
      try {
        store(cause);
        return;
      } catch (IOException | InternalError e) {
        failure = String.valueOf(e.getMessage());
      }
    }
    unremembered = true;
    listener.notRemembered(failure);
  }

  /**
   * @throws InternalError when the state directory's disk failed under the mapping
   */
  private void store(Errno cause) throws IOException {
    if (log != null) {
      log.corrupt(cause.number());
      if (config.syncEach()) {
        log.forceCorruption();
      }
    }
  }

  /** Whether a restart, or a loss of power with {@code power}, would take it for what it is. */
  public boolean isRemembered() {
    return !unremembered;
  }

  /** Tries again to make durable that it is corrupt, if that failed. */
  void rememberAgain() {
    Errno cause = corruption.get();
    if (!unremembered || cause == null) {
      return;
    }
    endLock.lock();
    try {
      store(cause);
      unremembered = false;
      listener.remembered();
    } catch (IOException | InternalError | IllegalStateException e) {
      // As before, or it is closed by now; the next checkpoint tries again.
    } finally {
      endLock.unlock();
    }
  }

  /**
   * Declares that its snapshot is being destroyed: if the engine dies before that is done, the next
   * one finishes it rather than show what is no longer preserved.
   */
  public void condemn() {
    corruption.compareAndSet(null, CONDEMNED);
    endLock.lock();
    try {
      remember(CONDEMNED);
      dismissed = true;
    } finally {
      endLock.unlock();
    }
  }

  /** Whether an earlier engine died while its snapshot was being destroyed. */
  public boolean isCondemned() {
    return corruption.get() == CONDEMNED;
  }

  /**
   * Whether the area that kept its mappings in this directory was condemned, or none kept any
   * there: then no other area leans on it.
   */
  public static boolean isCondemned(Path logDirectory) {
    return MappingLog.isCondemned(logDirectory, CONDEMNED.number());
  }

  boolean isRetired() {
    return retired;
  }

  void retire() {
    retired = true;
  }

  /**
   * Copies the blocks {@code [first, end)} that are held neither here nor by a newer area, before
   * they are overwritten.
   *
   * @param heldByNewer gives, for a group of 64 blocks, those that newer areas hold
   * @return how many were copied, or noted as zeroes
   * @throws IOException when a block could not be preserved; others may have been
   */
  long preserve(BlockDevice original, long first, long end, LongUnaryOperator heldByNewer)
      throws IOException {
    long kept = 0;
    long stop = Math.min(end, blocks());
    for (Span span : Span.of(first, stop, config.chunkShift() - Location.BLOCK_SHIFT)) {
      if (nextNeeded(span.first(), span.end(), heldByNewer) == span.end()) {
        continue; // the usual case of a second overwrite takes no chunk lock
      }
      Lock lock = preserveLocks.of(span.chunk()).writeLock();
      lock.lock();
      try {
        kept += preserveSpan(original, span, heldByNewer);
      } finally {
        lock.unlock();
      }
    }
    return kept;
  }

  private long preserveSpan(BlockDevice original, Span span, LongUnaryOperator heldByNewer)
      throws IOException {
    long kept = 0;
    long at = nextNeeded(span.first(), span.end(), heldByNewer);
    while (at < span.end()) {
      long stop = at + 1;
      long most = Math.min(span.end(), at + MAX_COPY_BLOCKS);
      while (stop < most && nextNeeded(stop, stop + 1, heldByNewer) == stop) {
        stop++;
      }
      copyRun(original, at, stop);
      kept += stop - at;
      at = nextNeeded(stop, span.end(), heldByNewer);
    }
    return kept;
  }

  /** The first block of {@code [first, end)} that nobody holds yet, or {@code end}. */
  private long nextNeeded(long first, long end, LongUnaryOperator heldByNewer) {
    long at = first;
    while (at < end) {
      long group = at >>> BlockMap.GROUP_SHIFT;
      long needed = ~(preserved.held(group) | heldByNewer.applyAsLong(group));
      long ahead = needed >>> (at & (BlockMap.GROUP_BLOCKS - 1));
      if (ahead != 0) {
        return Math.min(end, at + Long.numberOfTrailingZeros(ahead));
      }
      at = (group + 1) << BlockMap.GROUP_SHIFT;
    }
    return end;
  }

  /** A block wholly in a hole is held as zeroes; the rest is read and stored. */
  private void copyRun(BlockDevice original, long first, long end) throws IOException {
    long at = first;
    while (at < end) {
      long offset = at << Location.BLOCK_SHIFT;
      long length = Math.min(end << Location.BLOCK_SHIFT, original.sizeBytes()) - offset;
      if (length <= 0) {
        throw new BlkSnapException(Errno.EIO, "block " + at + " is beyond the end of the device");
      }
      BlockDevice.Extent extent = original.allocation(offset, length, 1).getFirst();
      boolean reachesEnd = extent.length() >= length;
      long extentEnd =
          reachesEnd ? end : Math.min(end, (offset + extent.length()) >>> Location.BLOCK_SHIFT);
      if (extent.hole() && extentEnd > at) {
        holdZeroes(at, extentEnd);
        at = extentEnd;
      } else {
        // A block that is hole in one part and data in another is copied; so is the one where data
        // ends.
        long dataEnd =
            extent.hole()
                ? at + 1
                : Math.min(
                    end,
                    ((offset + Math.min(extent.length(), length) - 1) >>> Location.BLOCK_SHIFT)
                        + 1);
        copyData(original, at, (int) (dataEnd - at));
        at = dataEnd;
      }
    }
  }

  private void holdZeroes(long first, long end) throws IOException {
    appendLog(MappingLog.PRESERVED, first, Location.ZEROES, (int) (end - first), null, 0);
    forceLog();
    for (long block = first; block < end; block++) {
      preserved.put(block, Location.ZEROES, 0);
    }
  }

  private void copyData(BlockDevice original, long first, int count) throws IOException {
    try (BufferPool.Lease lease = diffIo.take(count * Location.BLOCK_BYTES)) {
      ByteBuffer buffer = lease.buffer();
      DiffIo.readBlocks(original, first << Location.BLOCK_SHIFT, buffer);
      int[] checksums = checksums(buffer, count);
      int done = 0;
      while (done < count) {
        buffer.position(done * Location.BLOCK_BYTES).limit(count * Location.BLOCK_BYTES);
        DiffStorage.Region region = store(buffer, count - done);
        publish(MappingLog.PRESERVED, preserved, first + done, region, checksums, done);
        done += region.blocks();
      }
    }
  }

  private static int[] checksums(ByteBuffer buffer, int count) {
    int[] checksums = new int[count];
    for (int i = 0; i < count; i++) {
      checksums[i] = BlockChecksum.of(buffer, i * Location.BLOCK_BYTES);
    }
    return checksums;
  }

  /** Writes as many of the next {@code most} blocks of {@code source} as fit in one run. */
  private DiffStorage.Region store(ByteBuffer source, int most) throws IOException {
    DiffStorage.Region region = storage.allocate(most);
    boolean stored = false;
    try {
      source.limit(source.position() + region.blocks() * Location.BLOCK_BYTES);
      storage.write(region.location(), source);
      if (config.syncEach()) {
        storage.sync();
      }
      stored = true;
      return region;
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.ENOSPC) {
        storage.fullBelow(); // a sparse file may find its file system full
      }
      throw e;
    } finally {
      if (!stored) {
        storage.giveBack(region);
      }
    }
  }

  private void publish(
      int kind, BlockMap map, long first, DiffStorage.Region region, int[] checksums, int at)
      throws IOException {
    record(kind, first, region, checksums, at);
    for (int i = 0; i < region.blocks(); i++) {
      map.put(first + i, region.location() + i, checksums[at + i]);
    }
  }

  /**
   * Appends the mapping of a region. A region without one is nobody's; one whose mapping is not
   * durable is not given to others, since a restart may find the mapping all the same.
   */
  private void record(int kind, long first, DiffStorage.Region region, int[] checksums, int at)
      throws IOException {
    boolean recorded = false;
    try {
      appendLog(kind, first, region.location(), region.blocks(), checksums, at);
      recorded = true;
    } finally {
      if (!recorded) {
        storage.giveBack(region);
      }
    }
    forceLog();
  }

  private void appendLog(
      int kind, long block, long location, int count, int @Nullable [] checksums, int at)
      throws IOException {
    if (log != null) {
      log.append(kind, block, location, count, checksums, at);
    }
  }

  private void forceLog() throws IOException {
    if (log != null && config.syncEach()) {
      log.force();
    }
  }

  /** Takes over a block from the area that comes after it, which is going away. */
  void adopt(long block, long location, int checksum) throws IOException {
    preserved.put(block, location, checksum);
    if (log != null) {
      boolean zeroes = location == Location.ZEROES;
      log.append(MappingLog.PRESERVED, block, location, 1, zeroes ? null : new int[] {checksum}, 0);
    }
  }

  /**
   * Writes whole blocks to the image. The caller excludes others from the same blocks.
   *
   * @param source whole blocks, from its position to its limit
   * @throws BlkSnapException {@code ENOSPC} when the storage is full; the image is as before from
   *     the block on that did not fit
   */
  void writePrivate(long first, ByteBuffer source) throws IOException {
    int count = source.remaining() / Location.BLOCK_BYTES;
    int[] checksums = checksums(source.slice(), count);
    int start = source.position();
    int done = 0;
    while (done < count) {
      source.limit(start + count * Location.BLOCK_BYTES);
      source.position(start + done * Location.BLOCK_BYTES);
      DiffStorage.Region region = store(source, count - done);
      long[] replaced = new long[region.blocks()];
      record(MappingLog.PRIVATE, first + done, region, checksums, done);
      for (int i = 0; i < region.blocks(); i++) {
        replaced[i] =
            privateBlocks.put(first + done + i, region.location() + i, checksums[done + i]);
      }
      releaseAll(replaced);
      done += region.blocks();
    }
  }

  /** Makes blocks of the image read as zeroes. The caller excludes others from the same blocks. */
  void zeroPrivate(long first, int count) throws IOException {
    appendLog(MappingLog.PRIVATE, first, Location.ZEROES, count, null, 0);
    forceLog();
    long[] replaced = new long[count];
    for (int i = 0; i < count; i++) {
      replaced[i] = privateBlocks.put(first + i, Location.ZEROES, 0);
    }
    releaseAll(replaced);
  }

  private void releaseAll(long[] locations) {
    try (var releasing = new ReleaseRuns(this)) {
      for (long location : locations) {
        releasing.add(location);
      }
    }
  }

  boolean holdsAt(long block, long location) {
    if (location == Location.ZEROES) {
      return true; // zeroes take no storage
    }
    long[] found = {BlockMap.ABSENT};
    preserved.find(block, 1, found, new int[1], 0);
    return found[0] == location;
  }

  void release(long location, long count) {
    storages.find(location).ifPresent(in -> in.release(location, count));
  }

  /** Makes what was written to the image durable. */
  void sync() throws IOException {
    storage.sync();
    if (log != null) {
      log.force();
    }
  }

  /** Reads whole blocks that follow each other in storage, and checks each. */
  void readStored(long location, int count, int[] checksums, int at, ByteBuffer target)
      throws IOException {
    int start = target.position();
    storages.of(location).read(location, target);
    for (int i = 0; i < count; i++) {
      if (BlockChecksum.of(target, start + i * Location.BLOCK_BYTES) != checksums[at + i]) {
        throw new BlkSnapException(
            Errno.EIO, "a preserved block came back from diff storage with a wrong checksum");
      }
    }
  }

  DiffIo diffIo() {
    return diffIo;
  }

  /** What a writer does when its old blocks find no room here. */
  public FullPolicy fullPolicy() {
    return config.fullPolicy();
  }

  /** Waits until there may be room again; false when it will not come, as the snapshot goes. */
  public boolean awaitRoom(long millis) throws InterruptedException {
    return storage.awaitRoom(millis);
  }

  /**
   * Counts its blocks as in use in their storages, after a recovery.
   *
   * @param older its neighbour, to which some may have been handed down before the engine died
   */
  public void claimBlocks(@Nullable DiffArea older) {
    preserved.forEach((block, location, checksum) -> {
      if (older == null || !older.holdsAt(block, location)) {
        claim(location);
      }
    });
    privateBlocks.forEach((block, location, checksum) -> claim(location));
  }

  private void claim(long location) {
    if (location != Location.ZEROES) {
      storages.find(location).ifPresent(in -> in.adopt(location, 1));
    }
  }

  /** What was written to the image: the number of each 4 KiB block. */
  public void forEachWritten(LongConsumer action) {
    privateBlocks.forEach((block, location, checksum) -> action.accept(block));
  }

  /** Makes its mappings so far durable. */
  public void force() throws IOException {
    if (log != null) {
      log.force();
    }
  }

  /** Removes its mappings. */
  public void delete() throws IOException {
    if (log != null) {
      log.delete();
    }
  }

  /** Closes its mappings and leaves them for the next load. */
  @Override
  public void close() {
    if (log != null) {
      log.close();
    }
  }
}
