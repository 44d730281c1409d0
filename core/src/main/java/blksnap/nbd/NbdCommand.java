package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;

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

  /**
   * @param length up to 2^32 - 1
   */
  record Trim(long offset, long length, boolean fua) implements NbdCommand {}

  /**
   * @param length up to 2^32 - 1
   */
  record WriteZeroes(long offset, long length, boolean noHole, boolean fua) implements NbdCommand {}

  /**
   * @param length 1 to 2^32 - 1
   */
  record BlockStatus(long offset, long length, boolean one) implements NbdCommand {}

  /** Not valid; to be answered with this and nothing else. */
  record Refused(BlkSnapException why) implements NbdCommand {}

  /**
   * Judges a request, flags first, then permission, then range.
   *
   * @throws BlkSnapException what the client is to be told; the stream goes on after the payload
   */
  static NbdCommand of(NbdRequest request, NbdTerms terms) throws BlkSnapException {
    boolean fua = (request.flags() & NbdProtocol.FLAG_FUA) != 0;
    return switch (request.type()) {
      case NbdProtocol.CMD_READ -> {
        checkFlags(request, terms.structured() ? NbdProtocol.FLAG_DF : 0);
        checkRange(request, terms, Errno.EINVAL);
        yield new Read(
            request.offset(), payloadLength(request), (request.flags() & NbdProtocol.FLAG_DF) != 0);
      }
      case NbdProtocol.CMD_WRITE -> {
        checkFlags(request, 0);
        checkWritable(terms);
        int length = payloadLength(request);
        checkRange(request, terms, Errno.ENOSPC);
        yield new Write(request.offset(), length, fua);
      }
      case NbdProtocol.CMD_DISC -> new Disconnect();
      case NbdProtocol.CMD_FLUSH -> {
        checkFlags(request, 0);
        if (request.offset() != 0 || request.length() != 0) {
          throw new BlkSnapException(Errno.EINVAL, "FLUSH with a range: " + range(request));
        }
        yield new Flush();
      }
      case NbdProtocol.CMD_TRIM -> {
        checkFlags(request, 0);
        checkWritable(terms);
        checkRange(request, terms, Errno.EINVAL);
        yield new Trim(request.offset(), request.length(), fua);
      }
      case NbdProtocol.CMD_WRITE_ZEROES -> {
        checkFlags(request, NbdProtocol.FLAG_NO_HOLE);
        checkWritable(terms);
        checkRange(request, terms, Errno.ENOSPC);
        boolean noHole = (request.flags() & NbdProtocol.FLAG_NO_HOLE) != 0;
        yield new WriteZeroes(request.offset(), request.length(), noHole, fua);
      }
      case NbdProtocol.CMD_BLOCK_STATUS -> {
        checkFlags(request, NbdProtocol.FLAG_REQ_ONE);
        yield blockStatus(request, terms);
      }
      default -> throw new BlkSnapException(Errno.EINVAL, "unknown command type " + request.type());
    };
  }

  private static BlockStatus blockStatus(NbdRequest request, NbdTerms terms)
      throws BlkSnapException {
    if (!terms.allocation()) {
      throw new BlkSnapException(Errno.EINVAL, "BLOCK_STATUS without a metadata context");
    }
    checkRange(request, terms, Errno.EINVAL);
    if (request.length() == 0) { // an answer has at least one extent, and none fits
      throw new BlkSnapException(Errno.EINVAL, "BLOCK_STATUS of length 0");
    }
    return new BlockStatus(
        request.offset(), request.length(), (request.flags() & NbdProtocol.FLAG_REQ_ONE) != 0);
  }

  private static void checkFlags(NbdRequest request, int allowed) throws BlkSnapException {
    int wrong = request.flags() & ~(allowed | NbdProtocol.FLAG_FUA); // clients set FUA on anything
    if (wrong != 0) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "command type " + request.type() + " with flags 0x" + Integer.toHexString(wrong));
    }
  }

  private static void checkWritable(NbdTerms terms) throws BlkSnapException {
    if (terms.readOnly()) {
      throw new BlkSnapException(Errno.EPERM, "the export is read-only");
    }
  }

  private static void checkRange(NbdRequest request, NbdTerms terms, Errno beyond)
      throws BlkSnapException {
    long size = terms.sizeBytes();
    if (Long.compareUnsigned(request.offset(), size) > 0
        || request.length() > size - request.offset()) {
      throw new BlkSnapException(
          beyond, range(request) + " is beyond the export's " + size + " bytes");
    }
  }

  private static int payloadLength(NbdRequest request) throws BlkSnapException {
    if (request.length() > NbdProtocol.MAX_PAYLOAD_BYTES) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "payload of "
              + request.length()
              + " bytes is over the limit of "
              + NbdProtocol.MAX_PAYLOAD_BYTES);
    }
    return (int) request.length();
  }

  private static String range(NbdRequest request) {
    return Long.toUnsignedString(request.offset()) + "+" + request.length();
  }
}
