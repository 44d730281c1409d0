package blksnap.cli.demo;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * What one write leaves in one block, from the first byte to the last; no two stamps look alike.
 *
 * <pre>
 * offset  bytes  field, big-endian
 *      0      8  magic "BLKSTAMP"
 *      8      8  number of the run
 *     16      8  number of the disk
 *     24      8  number of the block
 *     32      8  number of the write; 0 is what the disk was made with
 *     40   4056  noise that follows from the fields above
 * </pre>
 *
 * @param run tells one run from another, so that a disk that has been stamped before is no trouble
 */
record Stamp(long run, long disk, long block, long number) {
  /** Bytes of a block, and of a stamp. */
  static final int BYTES = 4096;

  private static final long MAGIC = 0x424c4b5354414d50L;

  /** Increment and multipliers of the SplitMix64 generator. */
  private static final long GOLDEN = 0x9e3779b97f4a7c15L;

  private static final long MIX_1 = 0xbf58476d1ce4e5b9L;
  private static final long MIX_2 = 0x94d049bb133111ebL;

  /** The bytes, ready to be read. */
  ByteBuffer bytes() {
    ByteBuffer bytes = ByteBuffer.allocate(BYTES);
    bytes.putLong(MAGIC).putLong(run).putLong(disk).putLong(block).putLong(number);
    long state = mix(mix(mix(run) + disk) + block) + number;
    while (bytes.hasRemaining()) {
      state += GOLDEN;
      bytes.putLong(mix(state));
    }
    return bytes.flip();
  }

  private static long mix(long value) {
    long mixed = (value ^ (value >>> 30)) * MIX_1;
    mixed = (mixed ^ (mixed >>> 27)) * MIX_2;
    return mixed ^ (mixed >>> 31);
  }

  /** The stamp that fills {@code bytes}; empty when they hold anything else, even in part. */
  static Optional<Stamp> read(ByteBuffer bytes) {
    if (bytes.remaining() != BYTES || bytes.getLong(bytes.position()) != MAGIC) {
      return Optional.empty();
    }
    ByteBuffer fields = bytes.duplicate();
    fields.getLong();
    var stamp = new Stamp(fields.getLong(), fields.getLong(), fields.getLong(), fields.getLong());
    return stamp.bytes().equals(bytes) ? Optional.of(stamp) : Optional.empty();
  }
}
