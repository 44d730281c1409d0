package blksnap.nbd;

import blksnap.device.BlockDevice;
import blksnap.device.BlockDevice.Extent;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.Fatal;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Carries out valid requests on one device and answers them. One for each worker: used by one
 * thread.
 */
final class NbdExecutor {
  /**
   * A READ longer than this is sent in pieces of so many bytes, if the client took structured
   * replies.
   */
  static final int PIECE_BYTES = 2 << 20;

  /**
   * Holes of at least so many bytes are left out of a READ's data; for shorter reads nobody asks.
   */
  static final int MIN_HOLE_BYTES = 64 << 10;

  /** Pieces end on a multiple of this, unless the request does not. */
  private static final int EDGE_BYTES = 512;

  /** What a CACHE reads at most; the kernel's own reading ahead does the rest. */
  static final int MAX_CACHED_BYTES = NbdProtocol.MAX_PAYLOAD_BYTES;

  private static final int CACHE_PIECE_BYTES = 1 << 20;

  /** Extents of a READ looked at; what lies beyond them is sent as data. */
  private static final int MAX_READ_EXTENTS = 64;

  private final BlockDevice device;
  private final NbdTerms terms;
  private final NbdPayloads payloads;
  private final NbdReply reply;
  private final ByteBuffer scratch;
  private final NbdStats stats;
  private long deviceNanos;

  NbdExecutor(
      BlockDevice device,
      NbdTerms terms,
      NbdPayloads payloads,
      NbdReply reply,
      ByteBuffer scratch,
      NbdStats stats) {
    this.device = device;
    this.terms = terms;
    this.payloads = payloads;
    this.reply = reply;
    this.scratch = scratch;
    this.stats = stats;
  }

  /** What the device took for the data of the last READ or WRITE that had some. */
  long deviceNanos() {
    return deviceNanos;
  }

  /** A READ, its answer included. Every failure before the last message is the device's. */
  void read(NbdCommand.Read read) throws IOException, DeviceFailure {
    if (read.length() == 0) {
      reply.readDone();
    } else if (read.length() <= scratch.capacity() - NbdReply.DATA_AT) {
      fill(read.offset(), scratch.clear().position(NbdReply.DATA_AT), read.length());
      reply.smallData(read.offset(), read.length());
      stats.bytesRead.add(read.length());
    } else if (!terms.mode().chunks()) {
      readPiece(read.offset(), read.length(), true);
    } else {
      readChunks(read);
    }
  }

  /** Where there are chunks: holes as holes, and data in pieces. */
  private void readChunks(NbdCommand.Read read) throws IOException, DeviceFailure {
    long end = read.offset() + read.length();
    long at = read.offset();
    for (Extent extent : layout(read)) {
      long extentEnd = at + extent.length();
      if (extent.hole()) {
        reply.hole(at, (int) extent.length(), extentEnd == end);
        at = extentEnd;
      }
      while (at < extentEnd) {
        long pieceEnd = extentEnd;
        if (!read.whole() && extentEnd - at > PIECE_BYTES) {
          pieceEnd = (at + PIECE_BYTES) / EDGE_BYTES * EDGE_BYTES;
        }
        readPiece(at, (int) (pieceEnd - at), pieceEnd == end);
        at = pieceEnd;
      }
    }
  }

  private List<Extent> layout(NbdCommand.Read read) throws DeviceFailure {
    var data = List.of(new Extent(read.length(), false));
    if (read.length() < MIN_HOLE_BYTES) {
      return data;
    }
    List<Extent> known;
    try {
      known = device.allocation(read.offset(), read.length(), MAX_READ_EXTENTS);
    } catch (IOException | RuntimeException | Error e) {
      throw new DeviceFailure(e);
    }
    List<Extent> layout = NbdExtents.forRead(known, read.length(), MIN_HOLE_BYTES);
    return read.whole() && layout.size() > 1 ? data : layout;
  }

  private void readPiece(long offset, int length, boolean last) throws IOException, DeviceFailure {
    Optional<NbdPayloads.Payload> memory = memory(length);
    if (memory.isEmpty()) {
      readInParts(offset, length, last);
    } else {
      try (var payload = memory.get()) {
        fill(offset, payload.buffer(), length);
        reply.data(offset, payload.buffer().position(0).limit(length), last);
      }
    }
    stats.bytesRead.add(length);
  }

  private Optional<NbdPayloads.Payload> memory(int length) throws DeviceFailure {
    try {
      return payloads.take(length);
    } catch (BlkSnapException e) {
      throw new DeviceFailure(e);
    }
  }

  /**
   * Without memory for all of it: the reply is begun when the first part has been read. When a
   * later one fails the rest is made up of zeroes, and the error follows; where an error can not
   * follow, the client is hung up on.
   */
  private void readInParts(long offset, int length, boolean last)
      throws IOException, DeviceFailure {
    int first = partBytes(offset, length);
    fill(offset, scratch.clear().position(NbdReply.DATA_AT), first);
    int done = first;
    boolean whole = false;
    Optional<DeviceFailure> failure = Optional.empty();
    try {
      reply.beginParts(offset, length, first);
      while (done < length) {
        int part = partBytes(offset + done, length - done);
        if (failure.isEmpty()) {
          failure = tryToFill(offset + done, part);
        }
        reply.part(part);
        done += part;
      }
      whole = true;
    } finally {
      reply.endParts(whole);
    }
    if (failure.isPresent()) {
      throw failure.get();
    }
    if (last && terms.mode().chunks()) {
      reply.readDone();
    }
  }

  /** A part of a reply that has begun; zeroes when it can not be read. */
  private Optional<DeviceFailure> tryToFill(long offset, int part) throws NbdHandshake.HangUp {
    try {
      fill(offset, scratch.clear().position(NbdReply.DATA_AT), part);
      return Optional.empty();
    } catch (DeviceFailure failure) {
      if (!terms.mode().chunks()) {
        throw new NbdHandshake.HangUp(
            "reading at " + offset + " failed within a reply: " + failure.refusal());
      }
      scratch.clear().position(NbdReply.DATA_AT).put(new byte[part]);
      return Optional.of(failure);
    }
  }

  /** What goes through a worker's own memory at once; ends at a multiple of a page if it can. */
  static int partBytes(long offset, int left) {
    int most = NbdWorker.SCRATCH_BYTES - NbdReply.DATA_AT;
    return (int) Math.min(left, most - offset % NbdPayloads.PAGE_BYTES);
  }

  /** Reads exactly {@code length} bytes: a buffer that was not filled must never reach a client. */
  private void fill(long offset, ByteBuffer target, int length) throws DeviceFailure {
    target.limit(target.position() + length);
    long start = System.nanoTime();
    try {
      device.read(offset, target);
      deviceNanos = System.nanoTime() - start;
    } catch (IOException | RuntimeException | Error e) {
      throw new DeviceFailure(e);
    }
    if (target.hasRemaining()) {
      throw new DeviceFailure(
          new BlkSnapException(
              Errno.EIO, "the device left " + target.remaining() + " bytes unread"));
    }
  }

  /** CACHE, not yet answered: reads the range, or the beginning of a long one, for nobody. */
  void cache(NbdCommand.Cache cache) throws DeviceFailure {
    long end = cache.offset() + Math.min(cache.length(), MAX_CACHED_BYTES);
    Optional<NbdPayloads.Payload> memory =
        cache.length() > scratch.capacity() ? memory(CACHE_PIECE_BYTES) : Optional.empty();
    try {
      ByteBuffer nowhere = memory.isPresent() ? memory.get().buffer() : scratch;
      for (long at = cache.offset(); at < end; ) {
        int piece = (int) Math.min(nowhere.capacity(), end - at);
        fill(at, nowhere.clear(), piece);
        at += piece;
      }
    } finally {
      memory.ifPresent(NbdPayloads.Payload::close);
    }
  }

  /** BLOCK_STATUS, its answer included: a chunk for each context. */
  void blockStatus(NbdCommand.BlockStatus status) throws IOException, DeviceFailure {
    int most = status.one() ? 1 : NbdReply.MAX_EXTENTS;
    int left = status.contexts().size();
    for (NbdContext context : status.contexts()) {
      List<MetaContext.Run> runs;
      try {
        runs = context.source().status(status.offset(), status.length(), most);
      } catch (IOException | RuntimeException | Error e) {
        throw new DeviceFailure(e);
      }
      left--;
      reply.blockStatus(context.id(), NbdExtents.tidyRuns(runs, status.length(), most), left == 0);
    }
  }

  /** Whether zeroes may be asked for so: who wants them fast can be served fast. */
  boolean isFastEnough(NbdCommand.WriteZeroes zeroes) {
    return !zeroes.fast() || device.zeroesFast(zeroes.noHole());
  }

  /**
   * Everything that changes the device, not yet answered.
   *
   * @param data the payload of a WRITE
   */
  void change(NbdCommand command, ByteBuffer data) throws DeviceFailure {
    try {
      switch (command) {
        case NbdCommand.Write(var offset, var length, var fua) -> {
          if (length > 0) {
            long start = System.nanoTime();
            device.write(offset, data);
            deviceNanos = System.nanoTime() - start;
            stats.bytesWritten.add(length);
          }
          flushIf(fua);
        }
        case NbdCommand.Trim(var offset, var length, var fua) -> {
          if (length > 0) {
            device.discard(offset, length);
          }
          flushIf(fua);
        }
        case NbdCommand.WriteZeroes(var offset, var length, var noHole, var _, var fua) -> {
          if (length > 0) {
            device.writeZeroes(offset, length, noHole);
          }
          flushIf(fua);
        }
        case NbdCommand.Flush() -> device.flush();
        case NbdCommand.Read _,
            NbdCommand.Cache _,
            NbdCommand.BlockStatus _,
            NbdCommand.FilteredStatus _,
            NbdCommand.Disconnect _,
            NbdCommand.Refused _ ->
            throw new IllegalArgumentException(command + " changes nothing");
      }
    } catch (IOException | RuntimeException | Error e) {
      throw new DeviceFailure(e);
    }
  }

  private void flushIf(boolean fua) throws IOException {
    if (fua) {
      device.flush();
    }
  }

  /** The device failed, not the connection: the client is told, and the stream goes on. */
  static final class DeviceFailure extends Exception {
    private static final long serialVersionUID = 1L;

    DeviceFailure(Throwable cause) {
      super(cause);
    }

    /** What to tell the client. */
    BlkSnapException refusal() {
      Fatal.raise(cause());
      return NbdErrors.wrap(cause());
    }

    private Throwable cause() {
      return Objects.requireNonNull(getCause());
    }
  }
}
