package blksnap.nbd;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Builds replies in a worker's own scratch buffer and sends each by one call. Used by one thread.
 */
final class NbdReply {
  /** Most extents in one answer; a client asks on from where it ends. */
  static final int MAX_EXTENTS = 1000;

  /**
   * Where small data lies in the scratch buffer: page aligned, with room for a header right before
   * it.
   */
  static final int DATA_AT = 4096;

  private final NbdOutput output;
  private final NbdMode mode;
  private final ByteBuffer scratch;

  /** Of the request that is being answered. */
  private long cookie;

  private long requestOffset;

  /**
   * @param scratch of {@link NbdWorker#SCRATCH_BYTES}
   */
  NbdReply(NbdOutput output, NbdMode mode, ByteBuffer scratch) {
    this.output = output;
    this.mode = mode;
    this.scratch = scratch;
  }

  /** What is sent from now on answers this request. */
  void to(long newCookie, long newRequestOffset) {
    cookie = newCookie;
    requestOffset = newRequestOffset;
  }

  /** Success of a READ that has no data, or of whose data all was sent. */
  void readDone() throws IOException {
    done(mode.chunks());
  }

  /** Success of anything else; where both forms are allowed, by the shorter one. */
  void done() throws IOException {
    done(mode == NbdMode.EXTENDED);
  }

  private void done(boolean byChunk) throws IOException {
    scratch.clear();
    if (byChunk) {
      putChunk(NbdProtocol.CHUNK_DONE, NbdProtocol.CHUNK_NONE, 0);
    } else {
      putSimple(0);
    }
    output.send(scratch.flip());
  }

  /**
   * The last message of a request that failed.
   *
   * @param error a number of the protocol
   * @param sentence for people, where the mode has room for it
   */
  void error(int error, String sentence) throws IOException {
    scratch.clear();
    if (mode.chunks()) {
      byte[] message = NbdText.encode(sentence, NbdText.MAX_MESSAGE_BYTES);
      int length = Integer.BYTES + Short.BYTES + message.length;
      putChunk(NbdProtocol.CHUNK_DONE, NbdProtocol.CHUNK_ERROR, length);
      scratch.putInt(error).putShort((short) message.length).put(message);
    } else {
      putSimple(error);
    }
    output.send(scratch.flip());
  }

  /**
   * Data that lies in the scratch buffer from {@link #DATA_AT}; sent together with its header,
   * without copying.
   */
  void smallData(long offset, int length) throws IOException {
    int start = DATA_AT - mode.dataHeaderBytes();
    scratch.clear().position(start);
    putDataHeader(NbdProtocol.CHUNK_DONE, offset, length);
    scratch.position(start).limit(DATA_AT + length);
    output.send(scratch);
  }

  /**
   * Begins a reply, or a chunk that is not the last, whose data comes in parts; the first part lies
   * in the scratch buffer from {@link #DATA_AT}. The output is this thread's until {@link
   * #endParts}.
   *
   * @param length of all parts
   */
  void beginParts(long offset, int length, int first) throws IOException {
    output.begin();
    int start = DATA_AT - mode.dataHeaderBytes();
    scratch.clear().position(start);
    putDataHeader(0, offset, length);
    scratch.position(start).limit(DATA_AT + first);
    output.send(scratch);
  }

  /** One more part, which lies in the scratch buffer from {@link #DATA_AT}. */
  void part(int length) throws IOException {
    output.send(scratch.clear().position(DATA_AT).limit(DATA_AT + length));
  }

  /**
   * After {@link #beginParts}, however it ended.
   *
   * @param whole whether all parts were sent
   */
  void endParts(boolean whole) {
    output.end(whole);
  }

  /** Data in a buffer of its own. In simple mode it is all of the reply. */
  void data(long offset, ByteBuffer data, boolean last) throws IOException {
    scratch.clear();
    putDataHeader(last ? NbdProtocol.CHUNK_DONE : 0, offset, data.remaining());
    output.send(scratch.flip(), data);
  }

  /** A part of a READ that reads as zeroes; only where there are chunks. */
  void hole(long offset, int length, boolean last) throws IOException {
    scratch.clear();
    int flags = last ? NbdProtocol.CHUNK_DONE : 0;
    putChunk(flags, NbdProtocol.CHUNK_OFFSET_HOLE, Long.BYTES + Integer.BYTES);
    scratch.putLong(offset).putInt(length);
    output.send(scratch.flip());
  }

  /**
   * What one context answers to BLOCK_STATUS; only where there are chunks.
   *
   * @param runs 1 to {@link #MAX_EXTENTS}; each under 2^32 bytes unless headers are extended
   */
  void blockStatus(int contextId, List<MetaContext.Run> runs, boolean last) throws IOException {
    scratch.clear();
    int flags = last ? NbdProtocol.CHUNK_DONE : 0;
    if (mode == NbdMode.EXTENDED) {
      int length = 2 * Integer.BYTES + runs.size() * 2 * Long.BYTES;
      putChunk(flags, NbdProtocol.CHUNK_BLOCK_STATUS_EXTENDED, length);
      scratch.putInt(contextId).putInt(runs.size());
      runs.forEach(run -> scratch.putLong(run.length()).putLong(run.state()));
    } else {
      int length = Integer.BYTES + runs.size() * 2 * Integer.BYTES;
      putChunk(flags, NbdProtocol.CHUNK_BLOCK_STATUS, length);
      scratch.putInt(contextId);
      runs.forEach(run -> scratch.putInt((int) run.length()).putInt((int) run.state()));
    }
    output.send(scratch.flip());
  }

  private void putDataHeader(int flags, long offset, int length) {
    if (mode.chunks()) {
      putChunk(flags, NbdProtocol.CHUNK_OFFSET_DATA, Long.BYTES + length);
      scratch.putLong(offset);
    } else {
      putSimple(0);
    }
  }

  private void putSimple(int error) {
    scratch.putInt(NbdProtocol.SIMPLE_REPLY_MAGIC).putInt(error).putLong(cookie);
  }

  private void putChunk(int flags, int type, int length) {
    boolean extended = mode == NbdMode.EXTENDED;
    scratch.putInt(
        extended ? NbdProtocol.EXTENDED_REPLY_MAGIC : NbdProtocol.STRUCTURED_REPLY_MAGIC);
    scratch.putShort((short) flags).putShort((short) type).putLong(cookie);
    if (extended) {
      scratch.putLong(requestOffset).putLong(length);
    } else {
      scratch.putInt(length);
    }
  }
}
