package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.state.Fields;
import blksnap.state.StateFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * What stands beside a file while a point is restored to it: which point, and how far it is. It is
 * there before the file has any length, so that a file with a length and no record is somebody's.
 * One thread.
 */
final class RestoreRecord {
  private final Path path;
  private final Manifest point;

  RestoreRecord(Path file, Manifest point) {
    this.path = file.resolveSibling(file.getFileName() + Restore.UNFINISHED);
    this.point = point;
  }

  /**
   * Bytes from the start that are complete, if a restore of this very point into this very file was
   * begun. The number of an inode alone does not tell a file from one that was made later.
   */
  OptionalLong done(NativeFile file) throws IOException {
    Fields fields;
    try {
      fields = StateFile.read(path);
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.ENOENT) {
        return OptionalLong.empty();
      }
      throw e;
    }
    FileStatus status = file.stat();
    long done = fields.number("done");
    boolean same =
        fields.uuid("point").equals(point.id())
            && fields.uuid("file").equals(point.file().id())
            && fields.number("inode") == status.inode()
            && fields.number("born_nanos") == status.bornNanos()
            && status.sizeBytes() >= done;
    return same ? OptionalLong.of(done) : OptionalLong.empty();
  }

  /** Durable when it returns; so is the file's own name, which is in the same directory. */
  void write(NativeFile file, long done) throws IOException {
    FileStatus status = file.stat();
    StateFile.write(
        path,
        new Fields()
            .put("point", point.id().toString())
            .put("file", point.file().id().toString())
            .put("inode", status.inode())
            .put("born_nanos", status.bornNanos())
            .put("done", done));
  }

  void remove() throws IOException {
    StateFile.remove(path);
  }
}
