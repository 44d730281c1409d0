package blksnap.linux;

import blksnap.error.BlkSnapException;
import java.nio.file.Path;
import java.util.Set;
import java.util.UUID;

/** The machine that this program runs on. */
enum KernelMachine implements Machine {
  INSTANCE;

  @Override
  public NativeFile open(Path path, Set<NativeFile.Flag> flags) throws BlkSnapException {
    return KernelFile.openAt(path, flags);
  }

  @Override
  public UUID bootId() throws BlkSnapException {
    return BootId.read();
  }

  @Override
  public long bootMillis() throws BlkSnapException {
    return BootId.bootMillis();
  }
}
