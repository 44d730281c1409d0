package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * One request that was judged: its range lies inside the export, and its flags mean something for
 * it.
 */
sealed interface NbdCommand {
  /**
   * @param whole one content chunk is to carry everything (DF)
   */
  record Read(long offset, int length, boolean whole) implements NbdCommand {}

  /** The payload is beside it. */
  record Write(long offset, int length, boolean fua) implements NbdCommand {}

  /** No more requests will come. */
  record Disconnect() implements NbdCommand {}

  /** Everything answered so far is to be durable. */
  record Flush() implements NbdCommand {}

  record Trim(long offset, long length, boolean fua) implements NbdCommand {}

  /** The range will be read soon. */
  record Cache(long offset, long length) implements NbdCommand {}

  /**
   * @param fast to be refused, and nothing changed, where writing the zeroes would not take longer
   */
  record WriteZeroes(long offset, long length, boolean noHole, boolean fast, boolean fua)
      implements NbdCommand {}

  /**
   * @param length positive
   * @param contexts that are asked, at least one
   */
  record BlockStatus(long offset, long length, boolean one, List<NbdContext> contexts)
      implements NbdCommand {}

  /**
   * BLOCK_STATUS whose contexts come in its payload.
   *
   * @param payload bytes, as many as some of the selected contexts take
   */
  record FilteredStatus(long offset, int payload, boolean one) implements NbdCommand {
    /** The range's length, before the ids. */
    static final int FIXED_BYTES = Long.BYTES;

    /**
     * Judges the payload.
     *
     * @param filter the payload, from its position to its limit
     */
    BlockStatus with(ByteBuffer filter, NbdTerms terms) throws BlkSnapException {
      long length = filter.getLong();
      checkInside(offset, length, terms, Errno.EINVAL);
      requireSome(length);
      var contexts = new ArrayList<NbdContext>();
      while (filter.hasRemaining()) {
        int id = filter.getInt();
        // Ids are places in the list, from 1.
        if (id < 1 || id > terms.contexts().size()) {
          throw new BlkSnapException(
              Errno.EINVAL, "context " + Integer.toUnsignedString(id) + " was not selected");
        }
        NbdContext context = terms.contexts().get(id - 1);
        if (contexts.contains(context)) {
          throw new BlkSnapException(Errno.EINVAL, "context " + id + " is asked for twice");
        }
        contexts.add(context);
      }
      return new BlockStatus(offset, length, one, contexts);
    }
  }

  /** Not valid; to be answered with this and nothing else. */
  record Refused(BlkSnapException why) implements NbdCommand {}

  /**
   * Judges a request, flags first, then permission, then lengths, then range.
   *
   * @throws BlkSnapException what the client is to be told; the stream goes on after the payload
   */
  static NbdCommand of(NbdRequest request, NbdTerms terms) throws BlkSnapException {
    boolean fua = request.has(NbdProtocol.FLAG_FUA);
    return switch (request.type()) {
      case NbdProtocol.CMD_READ -> {
        checkFlags(request, terms.mode().chunks() ? NbdProtocol.FLAG_DF : 0);
        checkRange(request, terms, Errno.EINVAL);
        yield new Read(request.offset(), payloadLength(request), request.has(NbdProtocol.FLAG_DF));
      }
      case NbdProtocol.CMD_WRITE -> {
        checkFlags(request, request.extended() ? NbdProtocol.FLAG_PAYLOAD_LEN : 0);
        checkPayload(request);
        checkWritable(terms);
        int length = payloadLength(request);
        checkRange(request, terms, Errno.ENOSPC);
        yield new Write(request.offset(), length, fua);
      }
      case NbdProtocol.CMD_DISC -> new Disconnect();
      case NbdProtocol.CMD_FLUSH -> {
        checkFlags(request, 0);
        if (request.offset() != 0 || request.length() != 0) {
          throw new BlkSnapException(Errno.EINVAL, "FLUSH with a range: " + request.range());
        }
        yield new Flush();
      }
      case NbdProtocol.CMD_TRIM -> {
        checkFlags(request, 0);
        checkWritable(terms);
        checkRange(request, terms, Errno.EINVAL);
        yield new Trim(request.offset(), request.length(), fua);
      }
      case NbdProtocol.CMD_CACHE -> {
        checkFlags(request, 0);
        checkRange(request, terms, Errno.EINVAL);
        yield new Cache(request.offset(), request.length());
      }
      case NbdProtocol.CMD_WRITE_ZEROES -> {
        checkFlags(request, NbdProtocol.FLAG_NO_HOLE | NbdProtocol.FLAG_FAST_ZERO);
        checkWritable(terms);
        checkRange(request, terms, Errno.ENOSPC);
        yield new WriteZeroes(
            request.offset(),
            request.length(),
            request.has(NbdProtocol.FLAG_NO_HOLE),
            request.has(NbdProtocol.FLAG_FAST_ZERO),
            fua);
      }
      case NbdProtocol.CMD_BLOCK_STATUS -> blockStatus(request, terms);
      default -> throw new BlkSnapException(Errno.EINVAL, "unknown command type " + request.type());
    };
  }

  private static NbdCommand blockStatus(NbdRequest request, NbdTerms terms)
      throws BlkSnapException {
    checkFlags(
        request,
        NbdProtocol.FLAG_REQ_ONE | (terms.statusPayload() ? NbdProtocol.FLAG_PAYLOAD_LEN : 0));
    if (terms.contexts().isEmpty()) {
      throw new BlkSnapException(Errno.EINVAL, "BLOCK_STATUS without a metadata context");
    }
    boolean one = request.has(NbdProtocol.FLAG_REQ_ONE);
    if (request.has(NbdProtocol.FLAG_PAYLOAD_LEN)) {
      long ids = request.length() - FilteredStatus.FIXED_BYTES;
      long most = (long) terms.contexts().size() * Integer.BYTES;
      if (ids < Integer.BYTES || ids > most || ids % Integer.BYTES != 0) {
        throw new BlkSnapException(
            Errno.EINVAL,
            "a filter of "
                + request.length()
                + " bytes does not name 1 to "
                + terms.contexts().size()
                + " contexts");
      }
      return new FilteredStatus(request.offset(), (int) request.length(), one);
    }
    checkRange(request, terms, Errno.EINVAL);
    requireSome(request.length());
    return new BlockStatus(request.offset(), request.length(), one, terms.contexts());
  }

  /** An answer has at least one extent, and none fits into nothing. */
  private static void requireSome(long length) throws BlkSnapException {
    if (length == 0) {
      throw new BlkSnapException(Errno.EINVAL, "BLOCK_STATUS of length 0");
    }
  }

  private static void checkFlags(NbdRequest request, int allowed) throws BlkSnapException {
    int wrong = request.flags() & ~(allowed | NbdProtocol.FLAG_FUA); // clients set FUA on anything
    if (wrong != 0) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "command type " + request.type() + " with flags 0x" + Integer.toHexString(wrong));
    }
  }

  /** With extended headers a WRITE says that it has a payload, and has one. */
  private static void checkPayload(NbdRequest request) throws BlkSnapException {
    if (request.extended() && !request.has(NbdProtocol.FLAG_PAYLOAD_LEN)) {
      throw new BlkSnapException(Errno.EINVAL, "a WRITE without the flag PAYLOAD_LEN");
    }
    if (request.extended() && request.length() == 0) {
      throw new BlkSnapException(Errno.EINVAL, "a WRITE with a payload of 0 bytes");
    }
  }

  private static void checkWritable(NbdTerms terms) throws BlkSnapException {
    if (terms.readOnly()) {
      throw new BlkSnapException(Errno.EPERM, "the export is read-only");
    }
  }

  private static void checkRange(NbdRequest request, NbdTerms terms, Errno beyond)
      throws BlkSnapException {
    checkInside(request.offset(), request.length(), terms, beyond);
  }

  /** Both as they came: unsigned. */
  private static void checkInside(long offset, long length, NbdTerms terms, Errno beyond)
      throws BlkSnapException {
    long size = terms.sizeBytes();
    if (Long.compareUnsigned(offset, size) > 0 || Long.compareUnsigned(length, size - offset) > 0) {
      throw new BlkSnapException(
          beyond,
          Long.toUnsignedString(offset)
              + "+"
              + Long.toUnsignedString(length)
              + " is beyond the export's "
              + size
              + " bytes");
    }
  }

  private static int payloadLength(NbdRequest request) throws BlkSnapException {
    if (Long.compareUnsigned(request.length(), NbdProtocol.MAX_PAYLOAD_BYTES) > 0) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "payload of "
              + Long.toUnsignedString(request.length())
              + " bytes is over the limit of "
              + NbdProtocol.MAX_PAYLOAD_BYTES);
    }
    return (int) request.length();
  }
}
