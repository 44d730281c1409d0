package blksnap.backup;

import blksnap.qcow2.Compression;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;

/**
 * How a backup is made.
 *
 * @param full begin a new chain
 * @param compression where that saves something
 * @param raw one plain file, without a chain
 * @param load how much of the machine it may take
 */
public record BackupOptions(boolean full, Compression compression, boolean raw, Load load) {
  /**
   * How much of the machine something may take, and who hears of it.
   *
   * @param jobs threads, from 1 to 64
   * @param bytesPerSecond most that is read or sent; empty: as much as possible
   * @param listener hears how far it is
   * @param cancelled whether to give up
   */
  public record Load(
      int jobs, OptionalLong bytesPerSecond, Listener listener, BooleanSupplier cancelled) {
    public static final int MAX_JOBS = 64;

    public Load {
      if (jobs < 1 || jobs > MAX_JOBS) {
        throw new IllegalArgumentException(jobs + " jobs");
      }
    }

    /** As many jobs as the machine has processors, four at most, and nobody who hears of it. */
    public static final Load DEFAULT =
        new Load(
            Math.clamp(Runtime.getRuntime().availableProcessors(), 1, 4),
            OptionalLong.empty(),
            _ -> {},
            () -> false);
  }

  /** Hears how far something is; one thread at a time. */
  @FunctionalInterface
  public interface Listener {
    void at(Position position);
  }

  /**
   * How far something is.
   *
   * @param stage what is being done
   * @param done bytes that were gone over: of the disk, or of what is uploaded
   * @param total bytes of all that
   * @param amounts what was done to them so far
   */
  public record Position(String stage, long done, long total, List<Amount> amounts) {
    public Position {
      amounts = List.copyOf(amounts);
    }
  }

  /** So many bytes; the word says what was done to them. */
  public record Amount(String word, long bytes) {}
}
