package blksnap.linux;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/**
 * A file of our own, mapped for reading and writing. All of its space is allocated before it is
 * mapped, so a store cannot fault because the disk is full. What is stored outlives this process at
 * once, and a power loss once {@link #force} has returned.
 *
 * <p>The segment may be used by many threads. Nothing else may shorten the file while it is mapped.
 */
public final class MappedFile implements Closeable {
  private static final int ZERO_FILL_BYTES = 1 << 20;

  private final Path path;
  private final NativeFile.Mapping mapping;
  private final MemorySegment segment;

  private MappedFile(Path path, NativeFile.Mapping mapping) {
    this.path = path;
    this.mapping = mapping;
    this.segment = mapping.segment();
  }

  /**
   * Makes a new file of zeroes, readable by its owner only, and maps it. Durable only after {@link
   * #force}.
   *
   * @throws BlkSnapException {@code EEXIST} when there is one, {@code ENOSPC} when there is no
   *     room; then no file stays
   */
  public static MappedFile create(Path path, long bytes) throws IOException {
    requirePositive(bytes);
    try (NativeFile file =
        NativeFile.open(path, Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE_NEW))) {
      try {
        allocate(file, bytes);
        return new MappedFile(path, file.map(bytes));
      } catch (IOException | RuntimeException | Error e) {
        Files.deleteIfExists(path);
        throw e;
      }
    }
  }

  /**
   * Maps the first {@code bytes} of a file that is there; holes in it, as a copy may have, get
   * their space first.
   *
   * @throws BlkSnapException {@code EINVAL} when the file is shorter, or is no regular file
   */
  public static MappedFile open(Path path, long bytes) throws IOException {
    if (bytes <= 0) {
      throw new BlkSnapException(Errno.EBADMSG, path + " is empty");
    }
    try (NativeFile file =
        NativeFile.open(path, Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.NOFOLLOW))) {
      FileStatus status = file.stat();
      if (!status.isRegularFile()) {
        throw new BlkSnapException(Errno.EINVAL, path + " is " + status.kind() + ", not a file");
      }
      if (status.sizeBytes() < bytes) {
        throw new BlkSnapException(
            Errno.EINVAL,
            path + " has " + status.sizeBytes() + " bytes, not the expected " + bytes);
      }
      allocate(file, bytes);
      return new MappedFile(path, file.map(bytes));
    }
  }

  /**
   * As {@link #open}; and what a dead engine had stored and not made durable, the next {@link
   * #force} does, though a sync of that engine may have failed, of which the kernel tells nobody
   * else.
   */
  public static MappedFile reopen(Path path, long bytes) throws IOException {
    MappedFile file = open(path, bytes);
    file.dirty();
    return file;
  }

  private static void requirePositive(long bytes) {
    if (bytes <= 0) {
      throw new IllegalArgumentException("a mapping of " + bytes + " bytes");
    }
  }

  /** Where the file system cannot allocate, zeroes written into every hole do it. */
  private static void allocate(NativeFile file, long bytes) throws BlkSnapException {
    try {
      file.allocate(0, bytes);
    } catch (BlkSnapException e) {
      if (e.errno() != Errno.ENOTSUP) {
        throw e;
      }
      fillHoles(file, bytes);
    }
  }

  static void fillHoles(NativeFile file, long bytes) throws BlkSnapException {
    ByteBuffer zeroes = ByteBuffer.allocateDirect((int) Math.min(ZERO_FILL_BYTES, bytes));
    long at = 0;
    while (at < bytes) {
      long hole = file.nextHole(at).orElse(at);
      long end = Math.min(bytes, file.nextData(hole).orElse(bytes));
      at = hole;
      while (at < end) {
        zeroes.clear().limit((int) Math.min(zeroes.capacity(), end - at));
        at += file.write(at, zeroes);
      }
    }
  }

  /** The mapped bytes; using them after {@link #close} throws {@link IllegalStateException}. */
  public MemorySegment segment() {
    return segment;
  }

  /** Makes what was stored to the range durable. */
  public void force(long offset, long length) throws BlkSnapException {
    if (length == 0) {
      return;
    }
    try {
      mapping.force(offset, length);
    } catch (BlkSnapException e) {
      throw new BlkSnapException(
          e.errno(), "sync of " + length + " bytes at " + offset + " in " + path + " failed", e);
    }
  }

  /** After a sync that failed: see {@link NativeFile.Mapping#dirty}. */
  public void dirty() {
    mapping.dirty();
  }

  /**
   * Unmaps; twice is harmless. The content reaches the disk in the kernel's time unless it was
   * forced.
   */
  @Override
  public void close() {
    mapping.close();
  }
}
