package blksnap.nbd;

import blksnap.device.BlockDevice.Extent;
import blksnap.error.BlkSnapException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Builds replies in a worker's own scratch buffer and sends each by one call. Used by one thread.
 */
final class NbdReply {
  /** Most extents in one answer; a client asks on from where it ends. */
  static final int MAX_EXTENTS = 1024;

  /**
   * Where small data lies in the scratch buffer: page aligned, with room for a header right before
   * it.
   */
  static final int DATA_AT = 4096;

  private final NbdOutput output;
  private final boolean structured;
  private final ByteBuffer scratch;

  /**
   * @param scratch of {@link NbdWorker#SCRATCH_BYTES}
   */
  NbdReply(NbdOutput output, boolean structured, ByteBuffer scratch) {
    this.output = output;
    this.structured = structured;
    this.scratch = scratch;
  }

  /** Success without data. */
  void done(long cookie) throws IOException {
    scratch.clear();
    putSimple(cookie, 0);
    output.send(scratch.flip());
  }

  /** Success of a READ of nothing. */
  void nothing(long cookie) throws IOException {
    if (!structured) {
      done(cookie);
      return;
    }
    scratch.clear();
    putChunk(NbdProtocol.CHUNK_DONE, NbdProtocol.CHUNK_NONE, cookie, 0);
    output.send(scratch.flip());
  }

  /** The last message of a request that failed. */
  void error(long cookie, BlkSnapException failure) throws IOException {
    int error = NbdErrors.ofRequest(failure.errno());
    scratch.clear();
    if (structured) {
      byte[] message = NbdText.encode(failure.sentence(), NbdText.MAX_MESSAGE_BYTES);
      int length = Integer.BYTES + Short.BYTES + message.length;
      putChunk(NbdProtocol.CHUNK_DONE, NbdProtocol.CHUNK_ERROR, cookie, length);
      scratch.putInt(error).putShort((short) message.length).put(message);
    } else {
      putSimple(cookie, error);
    }
    output.send(scratch.flip());
  }

  /**
   * Data that lies in the scratch buffer from {@link #DATA_AT}; sent together with its header,
   * without copying.
   */
  void smallData(long cookie, long offset, int length) throws IOException {
    scratch.clear().position(DATA_AT - dataHeaderBytes());
    putDataHeader(NbdProtocol.CHUNK_DONE, cookie, offset, length);
    scratch.position(DATA_AT - dataHeaderBytes()).limit(DATA_AT + length);
    output.send(scratch);
  }

  /**
   * Begins a reply whose data comes in parts; the first part lies in the scratch buffer from {@link
   * #DATA_AT}. The output is this thread's until {@link #endParts}.
   *
   * @param length of all parts
   */
  void beginParts(long cookie, long offset, int length, int first, boolean last)
      throws IOException {
    output.begin();
    scratch.clear().position(DATA_AT - dataHeaderBytes());
    putDataHeader(last ? NbdProtocol.CHUNK_DONE : 0, cookie, offset, length);
    scratch.position(DATA_AT - dataHeaderBytes()).limit(DATA_AT + first);
    output.send(scratch);
  }

  /** One more part, which lies in the scratch buffer from {@link #DATA_AT}. */
  void part(int length) throws IOException {
    output.send(scratch.clear().position(DATA_AT).limit(DATA_AT + length));
  }

  /** After {@link #beginParts}, however it ended. */
  void endParts() {
    output.end();
  }

  /** Data in a buffer of its own. In simple mode it is all of the reply. */
  void data(long cookie, long offset, ByteBuffer data, boolean last) throws IOException {
    scratch.clear();
    putDataHeader(last ? NbdProtocol.CHUNK_DONE : 0, cookie, offset, data.remaining());
    output.send(scratch.flip(), data);
  }

  /** A part of a READ that reads as zeroes; structured mode only. */
  void hole(long cookie, long offset, int length, boolean last) throws IOException {
    scratch.clear();
    int flags = last ? NbdProtocol.CHUNK_DONE : 0;
    putChunk(flags, NbdProtocol.CHUNK_OFFSET_HOLE, cookie, Long.BYTES + Integer.BYTES);
    scratch.putLong(offset).putInt(length);
    output.send(scratch.flip());
  }

  /**
   * The answer to BLOCK_STATUS; structured mode only.
   *
   * @param extents 1 to {@link #MAX_EXTENTS}, each under 2^32 bytes
   */
  void blockStatus(long cookie, List<Extent> extents) throws IOException {
    scratch.clear();
    int length = Integer.BYTES + extents.size() * 2 * Integer.BYTES;
    putChunk(NbdProtocol.CHUNK_DONE, NbdProtocol.CHUNK_BLOCK_STATUS, cookie, length);
    scratch.putInt(NbdMetaContexts.ALLOCATION_ID);
    for (Extent extent : extents) {
      scratch.putInt((int) extent.length());
      scratch.putInt(extent.hole() ? NbdProtocol.STATE_HOLE_AND_ZERO : NbdProtocol.STATE_DATA);
    }
    output.send(scratch.flip());
  }

  private int dataHeaderBytes() {
    return structured ? NbdProtocol.OFFSET_CHUNK_BYTES : NbdProtocol.SIMPLE_REPLY_BYTES;
  }

  private void putDataHeader(int flags, long cookie, long offset, int length) {
    if (structured) {
      putChunk(flags, NbdProtocol.CHUNK_OFFSET_DATA, cookie, Long.BYTES + length);
      scratch.putLong(offset);
    } else {
      putSimple(cookie, 0);
    }
  }

  private void putSimple(long cookie, int error) {
    scratch.putInt(NbdProtocol.SIMPLE_REPLY_MAGIC).putInt(error).putLong(cookie);
  }

  private void putChunk(int flags, int type, long cookie, int length) {
    scratch.putInt(NbdProtocol.STRUCTURED_REPLY_MAGIC);
    scratch.putShort((short) flags).putShort((short) type).putLong(cookie).putInt(length);
  }
}
