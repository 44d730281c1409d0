package blksnap.linux;

import blksnap.error.BlkSnapException;
import java.nio.file.FileSystem;
import java.nio.file.Path;
import java.util.Set;
import java.util.UUID;

/**
 * What opens files, and loses power: the kernel below us, or a {@link FileSystem} that implements
 * this, for the paths that belong to it.
 */
public interface Machine {
  /** The machine whose file {@code path} names. */
  static Machine of(Path path) {
    return path.getFileSystem() instanceof Machine other ? other : KernelMachine.INSTANCE;
  }

  /** As {@link NativeFile#open}. */
  NativeFile open(Path path, Set<NativeFile.Flag> flags) throws BlkSnapException;

  /** A name for the time since the machine started: while it is the same, no power was lost. */
  UUID bootId() throws BlkSnapException;

  /**
   * When the machine was started, milliseconds since 1970, to the second; the clock may have been
   * set since.
   */
  long bootMillis() throws BlkSnapException;
}
