package blksnap.nbd;

import java.nio.ByteBuffer;

/**
 * The fixed part of a request after its magic, not yet judged.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic 0x25609513
 *      4      2  flags
 *      6      2  type
 *      8      8  cookie
 *     16      8  offset, unsigned
 *     24      4  length, unsigned
 * </pre>
 */
record NbdRequest(int flags, int type, long cookie, long offset, long length) {
  static final int BYTES = 28;

  /** Takes the fields after the magic from the buffer. */
  static NbdRequest decode(ByteBuffer source) {
    int flags = Short.toUnsignedInt(source.getShort());
    int type = Short.toUnsignedInt(source.getShort());
    long cookie = source.getLong();
    long offset = source.getLong();
    return new NbdRequest(flags, type, cookie, offset, Integer.toUnsignedLong(source.getInt()));
  }

  /** Bytes that follow the header on the wire, whether or not the request is valid. */
  long payloadBytes() {
    return type == NbdProtocol.CMD_WRITE ? length : 0;
  }
}
