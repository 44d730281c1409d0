package blksnap.nbd;

import java.nio.ByteBuffer;

/**
 * The fixed part of a request after its magic, not yet judged.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic 0x25609513, or 0x21e41c71 with extended headers
 *      4      2  flags
 *      6      2  type
 *      8      8  cookie
 *     16      8  offset, unsigned
 *     24    4,8  length, unsigned; of the payload where the flags say so, else of the range
 * </pre>
 *
 * @param extended whether the length had 64 bits
 */
record NbdRequest(int flags, int type, long cookie, long offset, long length, boolean extended) {
  static final int BYTES = 28;
  static final int EXTENDED_BYTES = 32;

  /** Takes the fields after the magic from the buffer. */
  static NbdRequest decode(ByteBuffer source, boolean extended) {
    int flags = Short.toUnsignedInt(source.getShort());
    int type = Short.toUnsignedInt(source.getShort());
    long cookie = source.getLong();
    long offset = source.getLong();
    long length = extended ? source.getLong() : Integer.toUnsignedLong(source.getInt());
    return new NbdRequest(flags, type, cookie, offset, length, extended);
  }

  /** Bytes that follow the header on the wire, unsigned, whether or not the request is valid. */
  long payloadBytes() {
    boolean carries = extended ? has(NbdProtocol.FLAG_PAYLOAD_LEN) : type == NbdProtocol.CMD_WRITE;
    return carries ? length : 0;
  }

  boolean has(int flag) {
    return (flags & flag) != 0;
  }

  /** For people: where it begins and how much it is about. */
  String range() {
    return Long.toUnsignedString(offset) + "+" + Long.toUnsignedString(length);
  }
}
