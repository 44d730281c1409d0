package blksnap.cli.demo;

import blksnap.cli.demo.DemoDisk.Content;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;

/** A disk in memory, with the log of what was written to it and an image of it made by hand. */
final class MemoryDisk {
  private static final long RUN = 7;

  private final DemoDisk disk;
  private final WriteLog log = new WriteLog();
  private final ByteBuffer original;
  private final ByteBuffer image;

  /** A disk of some blocks, and bytes behind them that are no whole block. */
  MemoryDisk(long number, int blocks, int tailBytes) {
    int size = blocks * Stamp.BYTES + tailBytes;
    disk =
        new DemoDisk(
            RUN,
            number,
            "disk" + number,
            Path.of("disk"),
            Path.of("original"),
            size,
            new Content("", List.of(), false),
            BlockChoice.all(blocks));
    original = ByteBuffer.allocate(size);
    for (int block = 0; block < blocks; block++) {
      original.put(new Stamp(RUN, number, block, 0).bytes());
    }
    original.clear();
    image = ByteBuffer.allocate(size).put(original.duplicate()).clear();
  }

  DemoDisk disk() {
    return disk;
  }

  WriteLog log() {
    return log;
  }

  /** A write that was sent and answered. */
  MemoryDisk wrote(int block, long number, long sentNanos, long answeredNanos) {
    log.sent(block, number, sentNanos);
    log.answered(block, answeredNanos);
    return this;
  }

  /** Lets the image show a write. */
  MemoryDisk show(int block, long number) {
    return show(block * Stamp.BYTES, new Stamp(RUN, disk.number(), block, number).bytes());
  }

  MemoryDisk show(int offset, ByteBuffer bytes) {
    image.put(offset, bytes, bytes.position(), bytes.remaining());
    return this;
  }

  /** The first half of what a write leaves. */
  ByteBuffer halfOf(int block, long number) {
    return new Stamp(RUN, disk.number(), block, number).bytes().limit(Stamp.BYTES / 2);
  }

  ByteSource image() {
    return source(image);
  }

  ByteSource original() {
    return source(original);
  }

  private static ByteSource source(ByteBuffer bytes) {
    return (offset, target) -> target.put(bytes.slice((int) offset, target.remaining()));
  }
}
