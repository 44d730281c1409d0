package blksnap.cli.demo;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * Whether images of several disks show them all at one moment. Each block has to show its last
 * write before that moment, whole, or what it held before the first. A write that is shown was sent
 * before the moment, and one that is not shown was answered after it; so there is such a moment if,
 * and only if, the latest sending of a shown write lies before the earliest answer to one that is
 * not shown, over all blocks of all disks.
 */
final class MomentCheck {
  private static final int READ_BYTES = 1 << 20;
  private static final double NANOS_PER_MICRO = 1000;

  /** A bound of the moment, and what set it. */
  private record Bound(long nanos, String cause) {}

  private final String subject;
  private Bound after;
  private Bound before;
  private long blocks;
  private long rewritten;
  private long hidden;

  /**
   * @param subject what is judged, for people
   * @param askedNanos when the snapshot was asked for; the moment is not before
   * @param answeredNanos when that was answered; the moment is not after
   */
  MomentCheck(String subject, long askedNanos, long answeredNanos) {
    this.subject = subject;
    after = new Bound(askedNanos, "the take was asked for");
    before = new Bound(answeredNanos, "the take was answered");
  }

  /**
   * Compares the image of one disk, to its last byte.
   *
   * @param original what was on the disk before the first write
   * @return the image's CRC-32C
   * @throws BlkSnapException {@code EIO} when a block shows what it never held, or when no moment
   *     is left that explains all blocks so far
   */
  String compare(DemoDisk disk, WriteLog log, ByteSource image, ByteSource original)
      throws IOException {
    var checksum = new Checksum();
    ByteBuffer shown = ByteBuffer.allocateDirect(READ_BYTES);
    ByteBuffer made = ByteBuffer.allocateDirect(READ_BYTES);
    for (long at = 0; at < disk.sizeBytes(); at += READ_BYTES) {
      int length = (int) Math.min(READ_BYTES, disk.sizeBytes() - at);
      image.read(at, shown.clear().limit(length));
      original.read(at, made.clear().limit(length));
      checksum.add(shown.flip());
      for (int start = 0; start < length; start += Stamp.BYTES) {
        int size = Math.min(Stamp.BYTES, length - start);
        long block = (at + start) / Stamp.BYTES;
        judge(disk, block, log.of(block), shown.slice(start, size), made.slice(start, size));
      }
    }
    requireMoment();
    return checksum.text();
  }

  private void judge(
      DemoDisk disk, long block, List<WriteLog.Write> writes, ByteBuffer shown, ByteBuffer made)
      throws BlkSnapException {
    blocks++;
    int visible = shown.equals(made) ? 0 : visibleWrites(disk, block, writes, shown);
    String place = " to block " + block + " of " + disk.name();
    if (visible > 0) {
      rewritten++;
      WriteLog.Write last = writes.get(visible - 1);
      if (last.sentNanos() > after.nanos()) {
        after = new Bound(last.sentNanos(), "write " + last.number() + place + " was sent");
      }
    }
    if (visible < writes.size()) {
      hidden++;
      WriteLog.Write next = writes.get(visible);
      if (next.answeredNanos() < before.nanos()) {
        before =
            new Bound(next.answeredNanos(), "write " + next.number() + place + " was answered");
      }
    }
  }

  /** How many of the writes the block shows; it shows the last of them. */
  private int visibleWrites(
      DemoDisk disk, long block, List<WriteLog.Write> writes, ByteBuffer shown)
      throws BlkSnapException {
    Optional<Stamp> stamp = Stamp.read(shown);
    for (int i = 0; i < writes.size(); i++) {
      var expected = new Stamp(disk.run(), disk.number(), block, writes.get(i).number());
      if (stamp.isPresent() && stamp.get().equals(expected)) {
        return i + 1;
      }
    }
    throw new BlkSnapException(
        Errno.EIO,
        "not proven: block "
            + block
            + " of "
            + disk.name()
            + " in "
            + subject
            + " shows neither what the disk was made with nor any of the "
            + writes.size()
            + " writes to it");
  }

  private void requireMoment() throws BlkSnapException {
    if (after.nanos() >= before.nanos()) {
      throw new BlkSnapException(
          Errno.EIO,
          "not proven: "
              + subject
              + " shows no single moment, because it would lie after "
              + micros(after)
              + " us, when "
              + after.cause()
              + ", and before "
              + micros(before)
              + " us, when "
              + before.cause());
    }
  }

  private static long micros(Bound bound) {
    return Math.round(bound.nanos() / NANOS_PER_MICRO);
  }

  /** Blocks compared. */
  long blocks() {
    return blocks;
  }

  /** Blocks that show one of the writes. */
  long rewrittenBlocks() {
    return rewritten;
  }

  /** Blocks that were written to after the moment, and rightly do not show it. */
  long hiddenBlocks() {
    return hidden;
  }

  /** How closely the moment is known. */
  long windowMicros() {
    return Math.round((before.nanos() - after.nanos()) / NANOS_PER_MICRO);
  }
}
