package blksnap.cli.demo;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Whether a change map covers every difference between two images; it may cover more.
 *
 * @param changedBlocks of {@link Stamp#BYTES}, that differ
 * @param mapBytes that the map says have changed
 * @param earlierChecksum CRC-32C of the earlier image; the same for the later one
 */
record ChangeMapCheck(
    long changedBlocks, long mapBytes, String earlierChecksum, String laterChecksum) {
  private static final int READ_BYTES = 1 << 20;

  /**
   * Compares two images of {@code disk}, block by block.
   *
   * @param map ascending, without overlaps
   * @throws BlkSnapException {@code EIO} when a difference is not covered
   */
  static ChangeMapCheck compare(
      DemoDisk disk, ByteSource earlier, ByteSource later, List<ByteRange> map) throws IOException {
    ByteBuffer old = ByteBuffer.allocateDirect(READ_BYTES);
    ByteBuffer now = ByteBuffer.allocateDirect(READ_BYTES);
    var oldSum = new Checksum();
    var nowSum = new Checksum();
    long changed = 0;
    int range = 0;
    for (long at = 0; at < disk.sizeBytes(); at += READ_BYTES) {
      int length = (int) Math.min(READ_BYTES, disk.sizeBytes() - at);
      earlier.read(at, old.clear().limit(length));
      later.read(at, now.clear().limit(length));
      oldSum.add(old.flip());
      nowSum.add(now.flip());
      for (int start = 0; start < length; start += Stamp.BYTES) {
        int size = Math.min(Stamp.BYTES, length - start);
        if (!old.slice(start, size).equals(now.slice(start, size))) {
          changed++;
          var block = new ByteRange(at + start, size);
          while (range < map.size() && map.get(range).end() <= block.offset()) {
            range++;
          }
          if (range == map.size() || !covers(map.get(range), block)) {
            throw missed(disk, block);
          }
        }
      }
    }
    return new ChangeMapCheck(
        changed, map.stream().mapToLong(ByteRange::length).sum(), oldSum.text(), nowSum.text());
  }

  private static boolean covers(ByteRange range, ByteRange block) {
    return range.offset() <= block.offset() && range.end() >= block.end();
  }

  private static BlkSnapException missed(DemoDisk disk, ByteRange block) {
    return new BlkSnapException(
        Errno.EIO,
        "not proven: "
            + block.length()
            + " bytes at "
            + block.offset()
            + " of "
            + disk.name()
            + " have changed, and the change map does not say so");
  }
}
