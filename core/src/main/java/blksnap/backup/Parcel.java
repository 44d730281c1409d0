package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.state.Fields;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * A file that a store of objects is to get, known by the MD5 of each part before the first is sent.
 *
 * @param partBytes of each part but the last
 * @param md5s of the parts, hexadecimal
 */
record Parcel(long bytes, long partBytes, List<String> md5s) {
  private static final int MD5_DIGITS = 32;

  Parcel {
    md5s = List.copyOf(md5s);
    if (bytes <= 0 || partBytes <= 0 || md5s.size() != count(bytes, partBytes)) {
      throw new IllegalArgumentException(
          md5s.size() + " parts of " + partBytes + " bytes for " + bytes);
    }
  }

  static int count(long bytes, long partBytes) {
    return Math.toIntExact(Math.ceilDiv(bytes, partBytes));
  }

  int parts() {
    return md5s.size();
  }

  /**
   * Bytes of a part.
   *
   * @param part from 0
   */
  long length(int part) {
    return Math.min(partBytes, bytes - part * partBytes);
  }

  /** Whether an object that was found is this one, by what stores of S3 use as its tag. */
  boolean is(ObjectStore.Found found) {
    return found.sizeBytes() == bytes && isTag(found.tag(), tag());
  }

  private String tag() {
    if (parts() == 1) {
      return md5s.getFirst();
    }
    var digest = Uploader.md5();
    md5s.forEach(md5 -> digest.update(HexFormat.of().parseHex(md5)));
    return HexFormat.of().formatHex(digest.digest()) + "-" + parts();
  }

  /** Whether the store has such a part; what has another kind of tag is not known to be ours. */
  boolean is(int part, ObjectStore.Part there) {
    return there.bytes() == length(part) && isTag(there.tag(), md5s.get(part));
  }

  private static boolean isTag(String tag, String expected) {
    return tag.replace("\"", "").equalsIgnoreCase(expected);
  }

  Fields encode() {
    return new Fields()
        .put("bytes", bytes)
        .put("part_bytes", partBytes)
        .put("md5s", String.join("", md5s));
  }

  /**
   * @throws BlkSnapException {@code EBADMSG} when it makes no sense
   */
  static Parcel decode(Fields fields) throws BlkSnapException {
    String all = fields.text("md5s");
    List<String> md5s = new ArrayList<>();
    for (int at = 0; at + MD5_DIGITS <= all.length(); at += MD5_DIGITS) {
      md5s.add(all.substring(at, at + MD5_DIGITS));
    }
    try {
      HexFormat.of().parseHex(all);
      return new Parcel(fields.number("bytes"), fields.number("part_bytes"), md5s);
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new BlkSnapException(Errno.EBADMSG, "it tells of no parts: " + e.getMessage(), e);
    }
  }
}
