package blksnap.diffarea;

import blksnap.device.BlockDevice;
import blksnap.diffio.DiffIo;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.Location;
import blksnap.diffstorage.StorageListener;
import blksnap.diffstorage.StorageTable;
import blksnap.error.Errno;
import blksnap.param.Parameters;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A device of one block in memory, which is a hole until it is written: preserving it takes no
 * storage, so that an area is small enough to be made by the thousand.
 */
final class OneBlock implements BlockDevice {
  private static final Parameters PARAMETERS = new Parameters();
  private static final StorageTable STORAGES = new StorageTable(PARAMETERS, (path, status) -> {});
  private static final DiffIo DIFF_IO = new DiffIo(PARAMETERS);
  private static final DiffStorage STORAGE = storage();
  private static final AreaListener DEAF =
      new AreaListener() {
        @Override
        public void corrupted(Errno cause, String why) {}

        @Override
        public void notRemembered(@Nullable String why) {}

        @Override
        public void remembered() {}
      };

  private volatile byte content;

  private static DiffStorage storage() {
    try {
      var deaf =
          new StorageListener() {
            @Override
            public void low(long requestedSectors) {}

            @Override
            public void full(long requestedSectors) {}
          };
      return STORAGES.missing(0, new UUID(0, 0), List.of(), deaf);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** An area of this device, its mappings in memory only. */
  static DiffArea area(int number) {
    try {
      return DiffArea.create(
          new AreaConfig(
              new UUID(0, number),
              Location.BLOCK_BYTES,
              Location.BLOCK_SHIFT,
              Optional.empty(),
              false,
              FullPolicy.BREAK),
          STORAGE,
          STORAGES,
          DIFF_IO,
          DEAF);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** As a tracked device does: preserved, and then written. */
  void overwrite(AreaChain chain, byte value) {
    try {
      chain.preserve(0, Location.BLOCK_BYTES);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    content = value;
  }

  byte content() {
    return content;
  }

  /** The first byte of the image, or -1 when it says that its snapshot is gone. */
  static int image(AreaChain chain, DiffArea area) {
    ByteBuffer target = ByteBuffer.allocate(1);
    try {
      new ImageReader(chain, area, () -> 0).read(0, target);
    } catch (IOException e) {
      return -1;
    }
    return target.get(0);
  }

  @Override
  public long sizeBytes() {
    return Location.BLOCK_BYTES;
  }

  @Override
  public boolean readOnly() {
    return false;
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    byte now = content;
    while (target.hasRemaining()) {
      target.put(now);
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) {
    content = source.get();
  }

  @Override
  public void discard(long offset, long length) {}

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) {
    content = 0;
  }

  @Override
  public void flush() {}

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) {
    return List.of(new Extent(length, content == 0));
  }

  @Override
  public void close() {}
}
