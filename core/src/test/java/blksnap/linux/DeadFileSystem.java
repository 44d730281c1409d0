package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Set;

/** Ends an ext4 file system as if its disk had gone: whatever is asked of it fails from then on. */
public final class DeadFileSystem {
  private static final long SHUTDOWN = 0x8004_587dL;
  private static final int WITHOUT_FLUSH = 2;

  private DeadFileSystem() {}

  /** Needs root. */
  public static void kill(Path mountPoint) throws IOException {
    try (KernelFile file = KernelFile.openAt(mountPoint, Set.of(NativeFile.Flag.READ_ONLY))) {
      int descriptor = Integer.parseInt(file.descriptorPath().getFileName().toString());
      long result =
          Native.repeat(state -> {
            MemorySegment flags = Native.scratch();
            flags.set(JAVA_INT, 0, WITHOUT_FLUSH);
            return (int) Calls.Ioctl.CALL.invokeExact(state, descriptor, SHUTDOWN, flags);
          });
      if (result < 0) {
        throw Native.failure(result, "cannot end the file system at " + mountPoint);
      }
    }
  }
}
