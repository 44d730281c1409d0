package blksnap.qcow2;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Set;

/** A file of the system. */
public final class LocalFile implements ByteFile {
  private final NativeFile file;
  private final long sizeBytes;

  private LocalFile(NativeFile file, long sizeBytes) {
    this.file = file;
    this.sizeBytes = sizeBytes;
  }

  /** Opens a regular file for reading. */
  public static LocalFile open(Path path) throws BlkSnapException {
    NativeFile file = NativeFile.open(path, Set.of(NativeFile.Flag.READ_ONLY));
    try {
      if (!file.stat().isRegularFile()) {
        throw new BlkSnapException(Errno.EBADMSG, path + " is " + file.stat().kind());
      }
      return new LocalFile(file, file.stat().sizeBytes());
    } catch (BlkSnapException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  @Override
  public String name() {
    return file.path().toString();
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws BlkSnapException {
    readFully(file, offset, target);
  }

  /** Fills a direct buffer from an open file. */
  public static void readFully(NativeFile file, long offset, ByteBuffer target)
      throws BlkSnapException {
    long at = offset;
    while (target.hasRemaining()) {
      int count = file.read(at, target);
      if (count == 0) {
        throw new BlkSnapException(
            Errno.EBADMSG, file.path() + " ends at " + at + ", before what is read from it");
      }
      at += count;
    }
  }

  /** Writes all of a direct buffer into an open file. */
  public static void writeFully(NativeFile file, long offset, ByteBuffer source)
      throws BlkSnapException {
    for (long at = offset; source.hasRemaining(); ) {
      at += file.write(at, source);
    }
  }

  @Override
  public void close() throws BlkSnapException {
    file.close();
  }
}
