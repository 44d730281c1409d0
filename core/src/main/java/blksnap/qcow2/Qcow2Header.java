package blksnap.qcow2;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.UUID;

/**
 * The header of an image, in its first cluster; big-endian.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "QFI\xfb"
 *      4      4  version 3
 *      8      8  offset of the backing file's name, 0 for none
 *     16      4  its length in bytes, at most 1023
 *     20      4  cluster bits, 17
 *     24      8  size of the disk in bytes
 *     32      4  encryption, 0
 *     36      4  entries of the L1 table
 *     40      8  offset of the L1 table
 *     48      8  offset of the refcount table
 *     56      4  its clusters
 *     60     12  snapshots, 0
 *     72      8  incompatible features: bit 4, extended L2 entries; bit 3, not deflate
 *     80     16  compatible and autoclear features, 0
 *     96      4  refcount order, 4 (16 bits)
 *    100      4  length of the header, 112
 *    104      1  compression: 0 deflate, 1 zstd
 *    105      7  zero
 *    112         extensions: u32 type, u32 length, data padded to 8 bytes
 *                0xe2792aca "qcow2", the kind of the backing file, if there is one
 *                0x626b7370 16 bytes, the UUID of this file, most significant byte first
 *                0 the end
 *                name of the backing file
 * </pre>
 *
 * @param id of this file, which nothing but its content has
 * @param backing name of the file below, in the same directory
 * @param compression of clusters that are compressed
 */
public record Qcow2Header(
    UUID id,
    Optional<String> backing,
    Compression compression,
    long diskBytes,
    int l1Entries,
    long l1Offset,
    long refcountTableOffset,
    int refcountTableClusters) {
  /** All that is read of a header, so that the name of the backing file must end before. */
  static final int BYTES = 4096;

  static final int REFCOUNT_ORDER = 4;

  private static final int MAGIC = 0x514649fb;
  private static final int VERSION = 3;
  private static final int LENGTH = 112;
  private static final long EXTENDED_L2 = 1 << 4;
  private static final long OTHER_COMPRESSION = 1 << 3;
  private static final int COMPRESSION_AT = 104;
  private static final int BACKING_FORMAT = 0xe2792aca;
  private static final int OWN_ID = 0x626b7370;
  private static final int MAX_NAME_BYTES = 1023;

  ByteBuffer encode() {
    ByteBuffer out = ByteBuffer.allocateDirect(BYTES);
    byte[] name = backing.orElse("").getBytes(StandardCharsets.UTF_8);
    if (name.length > MAX_NAME_BYTES) {
      throw new IllegalArgumentException("a backing file's name of " + name.length + " bytes");
    }
    out.putInt(MAGIC).putInt(VERSION).putLong(0).putInt(0).putInt(Clusters.CLUSTER_SHIFT);
    out.putLong(diskBytes).putInt(0).putInt(l1Entries).putLong(l1Offset);
    out.putLong(refcountTableOffset).putInt(refcountTableClusters).putInt(0).putLong(0);
    out.putLong(features(compression)).putLong(0).putLong(0).putInt(REFCOUNT_ORDER).putInt(LENGTH);
    out.put(COMPRESSION_AT, (byte) compression.type());
    out.position(LENGTH);
    if (backing.isPresent()) {
      out.putInt(BACKING_FORMAT).putInt(5).put("qcow2\0\0\0".getBytes(StandardCharsets.UTF_8));
    }
    out.putInt(OWN_ID).putInt(16);
    out.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
    out.putLong(0);
    if (backing.isPresent()) {
      out.putLong(8, out.position()).putInt(16, name.length);
      out.put(name);
    }
    return out.rewind();
  }

  /**
   * Reads the header of a file that {@link Qcow2Writer} made.
   *
   * @param in the first {@link #BYTES} of it, or all of a shorter one
   * @throws BlkSnapException {@code EBADMSG} with what is wrong with it
   */
  static Qcow2Header decode(ByteBuffer in, String file) throws BlkSnapException {
    if (in.remaining() < BYTES) {
      throw bad(file, "has only " + in.remaining() + " bytes");
    }
    if (in.getInt(0) != MAGIC) {
      throw bad(file, "is no qcow2 image");
    }
    if (in.getInt(4) != VERSION
        || in.getInt(20) != Clusters.CLUSTER_SHIFT
        || in.getInt(32) != 0
        || in.getLong(72) != features(compression(in))
        || in.getInt(96) != REFCOUNT_ORDER
        || in.getInt(100) != LENGTH
        || in.get(COMPRESSION_AT) != compression(in).type()) {
      throw bad(file, "is a qcow2 image of another kind than ours");
    }
    if (in.getInt(60) != 0) {
      throw bad(file, "holds internal snapshots, which are not ours");
    }
    long diskBytes = in.getLong(24);
    int l1Entries = in.getInt(36);
    if (diskBytes <= 0
        || diskBytes > Clusters.MAX_DISK_BYTES
        || l1Entries != l1Entries(diskBytes)) {
      throw bad(file, "has " + l1Entries + " L1 entries for a disk of " + diskBytes + " bytes");
    }
    return new Qcow2Header(
        id(in, file),
        backing(in, file),
        compression(in),
        diskBytes,
        l1Entries,
        in.getLong(40),
        in.getLong(48),
        in.getInt(56));
  }

  private static long features(Compression compression) {
    return EXTENDED_L2 | (compression.type() == 0 ? 0 : OTHER_COMPRESSION);
  }

  private static Compression compression(ByteBuffer in) {
    boolean zstd = in.get(COMPRESSION_AT) == Compression.ZSTD.type();
    return zstd ? Compression.ZSTD : Compression.DEFLATE;
  }

  static int l1Entries(long diskBytes) {
    long table = 1L << Clusters.TABLE_BYTES_SHIFT;
    return (int) ((diskBytes + table - 1) >>> Clusters.TABLE_BYTES_SHIFT);
  }

  private static UUID id(ByteBuffer in, String file) throws BlkSnapException {
    for (int at = LENGTH; at + 8 <= BYTES; ) {
      int type = in.getInt(at);
      int length = in.getInt(at + 4);
      if (type == 0 || length < 0 || length > BYTES - at - 8) {
        break;
      }
      if (type == OWN_ID && length == 16) {
        return new UUID(in.getLong(at + 8), in.getLong(at + 16));
      }
      at += 8 + (length + 7) / 8 * 8;
    }
    throw bad(file, "is a qcow2 image that a backup did not write");
  }

  private static Optional<String> backing(ByteBuffer in, String file) throws BlkSnapException {
    long at = in.getLong(8);
    int length = in.getInt(16);
    if (at == 0) {
      return Optional.empty();
    }
    if (at < LENGTH || length <= 0 || length > MAX_NAME_BYTES || at > BYTES - length) {
      throw bad(file, "names its backing file at " + at + ", " + length + " bytes");
    }
    byte[] name = new byte[length];
    in.get((int) at, name);
    return Optional.of(new String(name, StandardCharsets.UTF_8));
  }

  static BlkSnapException bad(String file, String what) {
    return new BlkSnapException(Errno.EBADMSG, file + " " + what);
  }
}
