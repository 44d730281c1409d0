package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Strings of the wire: UTF-8 without NUL, at most {@value NbdProtocol#MAX_STRING_BYTES} bytes. */
final class NbdText {
  /** Bytes of a message sent with an error. */
  static final int MAX_MESSAGE_BYTES = 512;

  private NbdText() {}

  /**
   * Decodes all of {@code bytes}.
   *
   * @throws BlkSnapException {@code ENAMETOOLONG} over the limit, {@code EINVAL} for NUL and for
   *     what is not UTF-8
   */
  static String decode(ByteBuffer bytes) throws BlkSnapException {
    if (bytes.remaining() > NbdProtocol.MAX_STRING_BYTES) {
      throw new BlkSnapException(
          Errno.ENAMETOOLONG,
          "a string of "
              + bytes.remaining()
              + " bytes is over the limit of "
              + NbdProtocol.MAX_STRING_BYTES);
    }
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw new BlkSnapException(Errno.EINVAL, "a string is not valid UTF-8", e);
    }
    if (text.indexOf('\0') >= 0) {
      throw new BlkSnapException(Errno.EINVAL, "a string contains a NUL byte");
    }
    return text;
  }

  /** The text in UTF-8, cut between two characters when it is over {@code maxBytes}. */
  static byte[] encode(String text, int maxBytes) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length <= maxBytes) {
      return bytes;
    }
    int end = maxBytes;
    while (end > 0 && (bytes[end] & 0xc0) == 0x80) { // not in the middle of a character
      end--;
    }
    return Arrays.copyOf(bytes, end);
  }
}
