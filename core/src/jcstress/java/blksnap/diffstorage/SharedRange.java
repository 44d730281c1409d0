package blksnap.diffstorage;

import blksnap.param.Parameters;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.locks.Condition;

/** One sparse file as the only range of any number of storages, which only hand out its blocks. */
final class SharedRange {
  private static final long BYTES = 1 << 20;
  private static final Parameters PARAMETERS = new Parameters();
  private static final StorageRange RANGE = range();

  private SharedRange() {}

  private static StorageRange range() {
    try {
      Path file = Files.createTempFile("jcstress", ".diff");
      file.toFile().deleteOnExit();
      try (var handle = new java.io.RandomAccessFile(file.toFile(), "rw")) {
        handle.setLength(BYTES);
      }
      return StorageRange.fixed(file, Optional.empty(), OptionalLong.empty());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static DiffStorage storage() {
    var deaf =
        new StorageListener() {
          @Override
          public void low(long requestedSectors) {}

          @Override
          public void full(long requestedSectors) {}
        };
    var storage =
        new DiffStorage(
            0, new UUID(0, 0), PARAMETERS, deaf, System::nanoTime, Condition::awaitNanos);
    storage.restore(List.of(RANGE));
    return storage;
  }

  /** The number of the block that is handed out. */
  static long allocate(DiffStorage storage) {
    try {
      return Location.block(storage.allocate(1).location());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
