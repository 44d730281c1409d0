package blksnap.cli.demo;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Copies a disk into a new file, in which zeroes take no room. */
final class SparseCopy {
  private static final int PIECE_BYTES = 1 << 16;
  private static final ByteBuffer ZEROES = ByteBuffer.allocate(PIECE_BYTES).asReadOnlyBuffer();

  private SparseCopy() {}

  /**
   * @param sizeBytes positive
   */
  static void copy(ByteSource source, long sizeBytes, Path target) throws IOException {
    try (FileChannel file =
        FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
      for (long at = 0; at < sizeBytes; at += PIECE_BYTES) {
        piece.clear().limit((int) Math.min(PIECE_BYTES, sizeBytes - at));
        source.read(at, piece);
        piece.flip();
        if (!piece.equals(ZEROES.slice(0, piece.limit()))) {
          write(file, at, piece);
        }
      }
      if (file.size() < sizeBytes) {
        write(file, sizeBytes - 1, ZEROES.slice(0, 1));
      }
    }
  }

  /** The same from a file, which is opened for reading only. */
  static void copy(Path source, Path target) throws IOException {
    try (FileChannel file = FileChannel.open(source, StandardOpenOption.READ)) {
      copy(ByteSource.of(file), file.size(), target);
    }
  }

  static void write(FileChannel file, long offset, ByteBuffer bytes) throws IOException {
    for (long at = offset; bytes.hasRemaining(); ) {
      at += file.write(bytes, at);
    }
  }
}
