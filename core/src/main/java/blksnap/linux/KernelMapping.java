package blksnap.linux;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.StandardOpenOption;

/** A shared mapping by the kernel. */
final class KernelMapping implements NativeFile.Mapping {
  private static final long PAGE_BYTES = 4096;
  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();

  private final KernelFile file;
  private final Arena arena;
  private final MemorySegment segment;

  private KernelMapping(KernelFile file, Arena arena, MemorySegment segment) {
    this.file = file;
    this.arena = arena;
    this.segment = segment;
  }

  static KernelMapping of(KernelFile file, long bytes) throws BlkSnapException {
    Arena arena = Arena.ofShared();
    boolean mapped = false;
    try (FileChannel channel =
        file.openChannel(StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MemorySegment segment = channel.map(MapMode.READ_WRITE, 0, bytes, arena);
      mapped = true;
      return new KernelMapping(file, arena, segment);
    } catch (BlkSnapException e) {
      throw e;
    } catch (IOException e) {
      throw new BlkSnapException(
          Errno.ENOMEM, "cannot map " + bytes + " bytes of " + file.path(), e);
    } finally {
      if (!mapped) {
        arena.close();
      }
    }
  }

  @Override
  public MemorySegment segment() {
    return segment;
  }

  @Override
  public void force(long offset, long length) throws BlkSnapException {
    try {
      segment.asSlice(offset, length).force();
    } catch (UncheckedIOException e) {
      throw new BlkSnapException(Errno.EIO, "msync of " + file.path() + " failed", e);
    }
  }

  @Override
  public void dirty() {
    for (long at = 0; at + Integer.BYTES <= segment.byteSize(); at += PAGE_BYTES) {
      var _ = (int) INT.getAndBitwiseOr(segment, at, 0);
    }
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
