package blksnap.tracker;

import blksnap.cbt.CbtMap;
import blksnap.cbt.CbtSnapshot;
import blksnap.cbt.WriteIntent;
import blksnap.cbt.WriteStamps;
import blksnap.device.BlockDevice;
import blksnap.device.Course;
import blksnap.device.DeviceStat;
import blksnap.device.ResizableDevice;
import blksnap.diffarea.AreaChain;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.InstantSource;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * A device whose changes are tracked. Each change passes the write gate, marks the change map,
 * opens its regions in the write-intent record, preserves what a snapshot still needs, and only
 * then reaches the original. No failure on that way fails the change itself.
 *
 * <p>Long requests pass the gate in pieces, so that a take never waits for more than one piece of
 * each.
 */
public final class TrackedDevice implements BlockDevice {
  /** Most bytes written in one pass of the gate. */
  static final int MAX_WRITE_PIECE_BYTES = 1 << 20;

  private final String name;
  private final ResizableDevice original;
  private final AreaChain chain;
  private final WriteGate gate = new WriteGate();
  private final DeviceStat stat = new DeviceStat();
  private final InstantSource clock;
  private final MapLoss onMapLost;
  private final LogRing log;
  private final AtomicBoolean intentFailed = new AtomicBoolean();
  private final AtomicBoolean checkpointFailed = new AtomicBoolean();

  /** Held by a checkpoint, and taken before the gate by who exchanges or closes the map. */
  private final ReentrantLock checkpointLock = new ReentrantLock();

  /** The map and its intent record change together, with the gate closed. */
  private volatile Tracking tracking;

  /** Set with the gate closed; read inside it. */
  private volatile boolean closed;

  /** Set with the gate closed: changes are refused from then on. */
  private volatile boolean sealed;

  /** The most bytes it had since it was attached: as far as a client may believe it reaches. */
  private volatile long largestBytes;

  /** A mark could not be stored: what the map says is not to be trusted any more. */
  private final AtomicBoolean mapLost = new AtomicBoolean();

  /** Why changes cannot be noted as they have to be; null while all is well. */
  private final AtomicReference<@Nullable Errno> danger = new AtomicReference<>();

  /**
   * The frozen maps of the snapshots that hold the device, oldest first; joined with the gate
   * closed.
   */
  private final CopyOnWriteArrayList<CbtSnapshot> frozenMaps = new CopyOnWriteArrayList<>();

  /**
   * What is marked.
   *
   * @param intent regions that may hold marks which a power loss would take
   */
  public record Tracking(CbtMap map, WriteIntent intent) {}

  /**
   * Told once that marks of a device were lost, so that no later load trusts its map; before the
   * change whose mark it was. Called by any writer.
   */
  public interface MapLoss {
    void remember(String device);

    /**
     * Told once that changes of a device cannot be noted as they have to be, until that works
     * again; its map may be lost as well, or not. Must not block.
     */
    default void endangered(String device, Errno cause) {}
  }

  public TrackedDevice(
      String name,
      ResizableDevice original,
      Tracking tracking,
      InstantSource clock,
      MapLoss onMapLost,
      LogRing log) {
    this.name = name;
    this.original = original;
    this.largestBytes = original.sizeBytes();
    this.tracking = tracking;
    this.clock = clock;
    this.onMapLost = onMapLost;
    this.log = log;
    this.chain = new AreaChain(original);
  }

  public String name() {
    return name;
  }

  /** Its areas and who preserves. */
  public AreaChain chain() {
    return chain;
  }

  /** Closed for the instant of a take, and while an area joins or leaves the chain. */
  public WriteGate gate() {
    return gate;
  }

  /** The live map; needs the write gate closed, else see {@link #readMap}. */
  public CbtMap map() {
    return tracking.map;
  }

  public DeviceStat stat() {
    return stat;
  }

  @Override
  public long sizeBytes() {
    return original.sizeBytes();
  }

  @Override
  public boolean readOnly() {
    return original.readOnly();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    int length = target.remaining();
    long start = stat.begin();
    try {
      requireInside(offset, length, Errno.EINVAL);
      original.read(offset, target);
    } catch (IndexOutOfBoundsException e) {
      requireInside(offset, length, Errno.EINVAL); // it shrank since the look at its size
      throw e;
    } finally {
      stat.end(DeviceStat.Kind.READ, length, start);
    }
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws IOException {
    return allocation(offset, length, maxExtents, Errno.EINVAL);
  }

  /** As who changes the device sees it. */
  private List<Extent> layout(long offset, long length, int maxExtents) throws IOException {
    return allocation(offset, length, maxExtents, Errno.ENOSPC);
  }

  private List<Extent> allocation(long offset, long length, int maxExtents, Errno beyond)
      throws IOException {
    requireInside(offset, length, beyond);
    try {
      return original.allocation(offset, length, maxExtents);
    } catch (IndexOutOfBoundsException e) {
      requireInside(offset, length, beyond); // it shrank since the look at its size
      throw e;
    }
  }

  /** A client that connected before the device shrank may ask for what is gone. */
  private void requireInside(long offset, long length, Errno beyond) throws BlkSnapException {
    Objects.checkFromIndexSize(offset, length, largestBytes);
    long size = sizeBytes();
    if (offset + length > size) {
      throw new BlkSnapException(
          beyond,
          "bytes "
              + offset
              + " to "
              + (offset + length)
              + " of device "
              + name
              + " are beyond its end at "
              + size
              + ": it shrank");
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    int length = source.remaining();
    checkChange(offset, length);
    int limit = source.limit();
    long start = stat.begin();
    try {
      for (long at = offset; source.position() < limit; ) {
        int piece = Math.min(limit - source.position(), MAX_WRITE_PIECE_BYTES);
        source.limit(source.position() + piece);
        long pieceOffset = at;
        change(pieceOffset, piece, () -> original.write(pieceOffset, source));
        source.limit(limit);
        at += piece;
      }
    } finally {
      source.limit(limit);
      stat.end(DeviceStat.Kind.WRITE, length, start);
    }
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    checkChange(offset, length);
    long start = stat.begin();
    try {
      RequestPieces.ofData(
          this::layout,
          offset,
          length,
          (at, count) -> change(at, count, () -> original.discard(at, count)));
    } finally {
      stat.end(DeviceStat.Kind.DISCARD, length, start);
    }
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws IOException {
    checkChange(offset, length);
    long start = stat.begin();
    try {
      RequestPieces.Action zero =
          (at, count) -> change(at, count, () -> original.writeZeroes(at, count, noHole));
      if (noHole) {
        RequestPieces.of(offset, length, zero);
      } else {
        RequestPieces.ofData(this::layout, offset, length, zero);
      }
    } finally {
      stat.end(DeviceStat.Kind.DISCARD, length, start);
    }
  }

  @Override
  public boolean zeroesFast(boolean noHole) {
    return original.zeroesFast(noHole);
  }

  private void checkChange(long offset, long length) throws BlkSnapException {
    requireInside(offset, length, Errno.ENOSPC);
    if (readOnly()) {
      throw new BlkSnapException(Errno.EPERM, "device " + name + " is attached read-only");
    }
  }

  @Override
  public void flush() throws IOException {
    long start = stat.begin();
    try {
      flushOriginal();
    } finally {
      stat.end(DeviceStat.Kind.FLUSH, 0, start);
    }
  }

  private void flushOriginal() throws IOException {
    WriteIntent intent = tracking.intent;
    int flush = intent.flushBegins();
    boolean flushed = false;
    try {
      long written = atStamps(WriteStamps::endedBytes);
      sync(original::flush);
      flushed = true;
      atStamps(stamps -> {
        stamps.flushed(written);
        return written;
      });
    } finally {
      intent.flushEnds(flush, flushed);
    }
  }

  /** Before anybody learns that a flush failed: remembers it, for whoever loads the device next. */
  private void loseWrites() {
    var _ =
        atStamps(stamps -> {
          stamps.loseWrites();
          return 0;
        });
  }

  /** What may have been lost was written and flushed again. */
  void writesFound() {
    var _ =
        atStamps(stamps -> {
          stamps.writesFound();
          return 0;
        });
  }

  /** Makes what is written durable; a failure is remembered, though no region learns of it. */
  void sync(Sync how) throws IOException {
    boolean synced = false;
    try {
      how.run();
      synced = true;
    } finally {
      if (!synced) {
        loseWrites();
      }
    }
  }

  /** Makes everything durable that was written before it began. */
  @FunctionalInterface
  interface Sync {
    void run() throws IOException;
  }

  private long atStamps(ToLongFunction<WriteStamps> access) {
    gate.enter();
    try {
      return closed ? 0 : access.applyAsLong(tracking.map.stamps());
    } catch (InternalError e) {
      loseMap(e);
      return 0;
    } finally {
      gate.leave();
    }
  }

  private void endDanger() {
    Errno cause = danger.get();
    if (cause != null && isSafe() && danger.compareAndSet(cause, null) && !isSafe()) {
      danger.compareAndSet(null, cause); // a writer failed meanwhile, and found it told already
    }
  }

  private boolean isSafe() {
    return !mapLost.get() && !intentFailed.get() && !checkpointFailed.get();
  }

  private interface Change {
    void run() throws IOException;
  }

  /** The order of effects that everything rests on: mark, preserve, change. */
  private void change(long offset, long length, Change change) throws IOException {
    var keeping = new OldBlocks(name, chain);
    while (true) {
      requireUnsealed();
      // May sync, so not while a take would wait for it.
      openRegions(tracking.intent, offset, length, false);
      gate.enter();
      try {
        requireUnsealed();
        requireInside(offset, length, Errno.ENOSPC);
        mark(offset, length); // first: a change that then fails is over-reported, never missed
        // Old bytes are kept, or a snapshot is corrupt, before new ones land.
        if (keeping.keep(offset, length)) {
          run(offset, length, change);
          return;
        }
      } finally {
        gate.leave();
      }
      keeping.awaitRoom(); // outside the gate: a take or a destroy must not wait for it
    }
  }

  private void requireUnsealed() throws BlkSnapException {
    if (sealed) {
      throw new BlkSnapException(Errno.ESHUTDOWN, "device " + name + " was detached");
    }
  }

  /** Stamped before and after, by which a later load tells our writes from those of others. */
  private void run(long offset, long length, Change change) throws IOException {
    WriteStamps stamps = tracking.map.stamps();
    try {
      stamps.begin(offset, length, clock.millis());
    } catch (InternalError e) {
      loseMap(e);
    }
    try {
      change.run();
    } finally {
      try {
        stamps.end(offset, length, clock.millis());
      } catch (InternalError e) {
        loseMap(e);
      }
      openRegions(tracking.intent, offset, length, true);
    }
  }

  /** The state directory's disk failed under the mapping, or the file was cut off. */
  private void loseMap(InternalError cause) {
    if (mapLost.compareAndSet(false, true)) {
      log.error("device " + name + ": its change map is broken: " + cause.getMessage());
      onMapLost.remember(name);
      endanger(cause);
    }
  }

  private void endanger(Throwable failure) {
    Errno cause = failure instanceof BlkSnapException refusal ? refusal.errno() : Errno.EIO;
    if (danger.compareAndSet(null, cause)) {
      onMapLost.endangered(name, cause);
    }
  }

  private void mark(long offset, long length) {
    Tracking now = tracking;
    try {
      now.map.mark(offset, length);
    } catch (InternalError e) {
      loseMap(e);
    }
    // Again, after the mark: a checkpoint may have come between.
    openRegions(now.intent, offset, length, false);
  }

  private void openRegions(WriteIntent intent, long offset, long length, boolean written) {
    try {
      if (written) {
        intent.written(offset, length);
      } else {
        intent.open(offset, length);
      }
    } catch (IllegalStateException | IndexOutOfBoundsException e) {
      log.debug("device " + name + ": its write-intent record was exchanged meanwhile");
    } catch (IOException | InternalError e) {
      if (intentFailed.compareAndSet(false, true)) {
        log.error("device " + name + ": a power loss may now lose change marks: " + e.getMessage());
        endanger(e);
      }
    }
  }

  /**
   * A snapshot was taken, or found again: what is written to older images is marked in its map too.
   */
  public void join(CbtSnapshot frozen) {
    frozenMaps.add(frozen);
  }

  /** A snapshot goes. */
  public void leave(CbtSnapshot frozen) {
    frozenMaps.remove(frozen);
  }

  /**
   * Marks what is about to be written to the image of {@code frozen}'s snapshot: in that map, in
   * the live one, and in those frozen since, which did not see it. The live one first: a take in
   * between has either seen the mark or joined.
   */
  public void markImage(CbtSnapshot frozen, long offset, long length) throws IOException {
    markChanged(offset, length);
    markFrozen(frozen, _ -> true, offset, length);
  }

  /**
   * Of {@link #markImage} what concerns frozen maps, for those whose marks a power loss may have
   * taken.
   */
  public void markFrozen(CbtSnapshot frozen, Predicate<CbtSnapshot> which, long offset, long length)
      throws IOException {
    boolean reached = false;
    for (CbtSnapshot map : frozenMaps) {
      reached |= map == frozen;
      long inside = Math.min(length, map.geometry().capacityBytes() - offset);
      if (reached && inside > 0 && which.test(map)) {
        map.markIfOpen(offset, inside);
      }
    }
  }

  /**
   * Marks what was written to an image of this device, or what a user says has changed; beyond the
   * present end there is nothing to mark.
   */
  public void markChanged(long offset, long length) {
    gate.enter();
    try {
      long inside = sealed ? 0 : Math.min(length, tracking.map.geometry().capacityBytes() - offset);
      if (inside > 0) {
        mark(offset, inside);
      }
    } finally {
      gate.leave();
    }
  }

  /**
   * What is beyond {@code sizeBytes} was cut off by others: areas that needed it are corrupt, and
   * it counts as changed.
   */
  void loseTail(long sizeBytes) {
    gate.enter();
    try {
      long lost = sealed ? 0 : original.sizeBytes() - sizeBytes;
      if (lost > 0) {
        mark(sizeBytes, lost);
        chain.giveUp(
            sizeBytes,
            lost,
            Errno.EIO,
            "others cut the device off at " + sizeBytes + " bytes of " + original.sizeBytes());
      }
    } finally {
      gate.leave();
    }
  }

  /**
   * Preserves what is about to be cut off, while others go on; waits for room like a write.
   *
   * @throws BlkSnapException what ends the course, {@code ESHUTDOWN} when the device goes
   */
  void preserveTail(long newSizeBytes, Course course) throws IOException {
    long tail = original.sizeBytes() - newSizeBytes;
    for (long at = newSizeBytes; at < original.sizeBytes(); at += RequestPieces.MAX_BYTES) {
      var keeping = new OldBlocks(name, chain);
      while (true) {
        course.at("preserving bytes", at - newSizeBytes, tail);
        gate.enter();
        try {
          requireUnsealed();
          if (keeping.keep(at, Math.min(RequestPieces.MAX_BYTES, original.sizeBytes() - at))) {
            break;
          }
        } finally {
          gate.leave();
        }
        keeping.awaitRoom();
      }
    }
    if (!readOnly()) {
      sync(original::flush); // most of what a resize has to make durable
    }
  }

  /**
   * Changes the size of the device and of its map. What is cut off is to be preserved first, by
   * {@link #preserveTail}; what was taken or written since is here, with the gate closed.
   *
   * @param resizing makes the map for the new size; called with the gate closed
   * @return false when there was no room for that, and nothing is changed
   */
  boolean resize(long newSizeBytes, Resizing resizing) throws IOException {
    checkpointLock.lock();
    gate.close();
    try {
      boolean held = holdsTail(newSizeBytes);
      if (held) {
        exchange(newSizeBytes, resizing);
      }
      return held;
    } finally {
      gate.open();
      checkpointLock.unlock();
    }
  }

  /** With the gate closed; false when there is no room and a snapshot asks to wait for it. */
  private boolean holdsTail(long newSizeBytes) {
    long end = original.sizeBytes();
    for (long at = newSizeBytes; at < end; at += RequestPieces.MAX_BYTES) {
      if (!new OldBlocks(name, chain).keep(at, Math.min(RequestPieces.MAX_BYTES, end - at))) {
        return false;
      }
    }
    return true;
  }

  /** With the gate closed: the new map, then the new size, durable, which the map is ready for. */
  private void exchange(long newSizeBytes, Resizing resizing) throws IOException {
    Tracking next = resizing.make(tracking, newSizeBytes);
    boolean resized = false;
    try {
      // Changes the file's times, and is ours.
      next.map.stamps().begin(newSizeBytes - 1, 1, clock.millis());
      original.resize(newSizeBytes);
      resized = true;
    } finally {
      Tracking left = resized ? tracking : next;
      left.intent.close();
      left.map.close();
      if (!resized) {
        resizing.abandon();
      }
    }
    tracking = next;
    largestBytes = Math.max(largestBytes, newSizeBytes);
    boolean flushed = false;
    try {
      if (!readOnly()) {
        original.flush(); // or a power loss would give the file its old size, and the map not
      }
      flushed = true;
    } finally {
      if (!flushed) {
        next.map.stamps().loseWrites();
      }
      next.map.stamps().end(newSizeBytes - 1, 1, clock.millis());
      resizing.commit();
    }
  }

  /**
   * Makes the map and intent record of a device whose size changes, and puts them in place of the
   * old ones. If the engine dies in between, the next attach goes by the size that it finds: it
   * goes on with the old map, or finishes what {@link #commit} does.
   */
  interface Resizing {
    /** Makes them, durable, and remembers which size the device is about to have. */
    Tracking make(Tracking before, long newSizeBytes) throws IOException;

    /** The device has the new size, durably. */
    void commit() throws IOException;

    /** The device keeps its size. */
    void abandon();
  }

  private void requireMap() throws BlkSnapException {
    if (mapLost.get()) {
      throw new BlkSnapException(
              Errno.EIO, "the change map of " + name + " is broken: a change could not be noted")
          .withHint("detach the device and attach it again, which begins a new generation");
    }
  }

  /**
   * Whether marks could not be stored, so that the map is worthless until the device is attached
   * again.
   */
  public boolean mapLost() {
    return mapLost.get();
  }

  /** Whether marks were lost, or would be if the power failed now. */
  public boolean marksAtRisk() {
    return mapLost.get() || intentFailed.get();
  }

  /** Why changes cannot be noted as they have to be; empty while all is well. */
  public Optional<Errno> danger() {
    return Optional.ofNullable(danger.get());
  }

  /**
   * Copies most of the map for a take while writers go on; not while somebody has the gate closed.
   */
  public void copyMapAhead(CbtSnapshot frozen) {
    if (!gate.tryEnter()) {
      return;
    }
    try {
      if (!closed && !mapLost.get()) {
        tracking.map.copyAhead(frozen);
      }
    } catch (InternalError e) {
      loseMap(e);
    } finally {
      gate.leave();
    }
  }

  /**
   * Ends the interval of the map for a take; needs the gate closed.
   *
   * @throws BlkSnapException {@code EIO} when the map is broken
   */
  public void freezeMap(CbtSnapshot frozen) throws IOException {
    requireMap();
    try {
      tracking.map.freezeInto(frozen);
    } catch (InternalError e) {
      loseMap(e);
      requireMap();
    }
  }

  /**
   * Makes marks durable and closes regions that rested; flushes the device when nobody else has for
   * long. A failure leaves them open, and is logged when it is the first.
   *
   * @return whether another checkpoint is due
   */
  public boolean checkpoint() {
    chain.rememberAgain();
    try {
      boolean due = checkpointMap();
      if (tracking.intent.flushDue() && !closed) {
        flushOriginal(); // not under the lock, for which a take would wait
      }
      if (checkpointFailed.compareAndSet(true, false)) {
        log.info("device " + name + ": checkpoints succeed again");
      }
      endDanger();
      return due;
    } catch (IOException | InternalError e) {
      if (!closed && checkpointFailed.compareAndSet(false, true)) {
        log.error("device " + name + ": checkpoint failed: " + e.getMessage());
        endanger(e);
      }
      return true;
    }
  }

  private boolean checkpointMap() throws IOException {
    checkpointLock.lock();
    try {
      boolean due = !closed && tracking.intent.checkpoint(tracking.map);
      if (intentFailed.compareAndSet(true, false)) {
        log.info("device " + name + ": change marks are safe from a power loss again");
      }
      return due;
    } finally {
      checkpointLock.unlock();
    }
  }

  /** Refuses changes from now on, and waits for those in flight; reading goes on. */
  void seal() {
    setSealed(true);
  }

  /** The device stays after all. */
  void unseal() {
    setSealed(false);
  }

  private void setSealed(boolean now) {
    gate.close();
    sealed = now;
    gate.open();
  }

  /**
   * Makes every mark durable, and the write-intent record empty; after {@link #seal}.
   *
   * @return whether it is so; if not, a power loss before the kernel has written the map is still
   *     covered by the regions that stay open
   */
  boolean settle() {
    checkpointLock.lock();
    try {
      tracking.intent.closeRegions(tracking.map);
      return !mapLost.get();
    } catch (IOException | InternalError e) {
      log.error("device " + name + ": its change map is not durable: " + e.getMessage());
      return false;
    } finally {
      checkpointLock.unlock();
    }
  }

  /** Makes the numbers of the map durable. */
  public void forceMapState() throws IOException {
    checkpointLock.lock();
    try {
      if (!closed) {
        tracking.map.forceState();
      }
    } finally {
      checkpointLock.unlock();
    }
  }

  /** Reads the map while it cannot be exchanged or closed. */
  public <T> T readMap(Function<CbtMap, T> reader) throws BlkSnapException {
    gate.enter();
    try {
      if (closed) {
        throw new BlkSnapException(Errno.ESHUTDOWN, "device " + name + " was detached");
      }
      requireMap();
      return reader.apply(tracking.map);
    } finally {
      gate.leave();
    }
  }

  /**
   * Closes the map, its record and the original; waits for changes in flight, and later ones are
   * refused.
   */
  @Override
  public void close() throws IOException {
    checkpointLock.lock();
    gate.close();
    try {
      if (closed) {
        return;
      }
      sealed = true;
      closed = true;
      tracking.intent.close();
      tracking.map.close();
    } finally {
      gate.open();
      checkpointLock.unlock();
    }
    original.close();
  }
}
