package blksnap.diffstorage;

/**
 * Told of a storage's space; called from writers' threads, outside the storage's lock, and must not
 * block.
 */
public interface StorageListener {
  /** What is really left fell below the threshold; once until there is more again. */
  void low(long requestedSectors);

  /** A block was asked for and there was none; once until there is more again. */
  void full(long requestedSectors);

  /**
   * At the present rate it will be full in so many seconds, few enough to act; once until there is
   * more again, or until the rate fell.
   */
  default void fullSoon(long seconds) {}
}
