package blksnap.diffstorage;

import java.util.OptionalLong;

/**
 * When to say of a storage that little is left of it, and that it will be full soon. Each is said
 * once, and again only after it was no longer so. Not safe: its storage's lock guards it.
 */
final class RoomWarnings {
  /** A storage that will be full sooner than this is warned of. */
  static final long WARN_SECONDS = 600;

  /** One that will be full later than this may be warned of again. */
  private static final long CALM_SECONDS = 2 * WARN_SECONDS;

  /** Most blocks handed out between two questions to the file system. */
  private static final int CHECK_BLOCKS = 64;

  /**
   * What is to be said now.
   *
   * @param low whether little is left
   * @param fullInSeconds the forecast, when it is one to warn of
   */
  record Due(boolean low, OptionalLong fullInSeconds) {
    static final Due NOTHING = new Due(false, OptionalLong.empty());
  }

  private final FillRate rate = new FillRate();
  private boolean low;
  private boolean warned;

  /** Blocks until the file system is asked again how much it has left. */
  private long blocksToCheck;

  /** There is more room: everything may be said anew. */
  void reset() {
    low = false;
    warned = false;
    blocksToCheck = 0;
  }

  /**
   * Blocks were handed out.
   *
   * @return whether it is time to ask what is left, and to call {@link #due}: once in {@value
   *     #CHECK_BLOCKS} blocks, and when the threshold may be reached
   */
  boolean handedOut(int blocks, long nowNanos) {
    rate.add((long) blocks << Location.BLOCK_SHIFT, nowNanos);
    blocksToCheck -= blocks;
    return blocksToCheck <= 0;
  }

  /**
   * @param usedBytes handed out so far
   * @param portionBytes by which storages grow
   */
  Due due(long freeBytes, long usedBytes, long portionBytes, long nowNanos) {
    return new Due(
        isNowLow(freeBytes, freeBytes + usedBytes, portionBytes), fullSoon(freeBytes, nowNanos));
  }

  private boolean isNowLow(long free, long usable, long portionBytes) {
    long threshold = Math.min(portionBytes / 2, usable / 4);
    boolean wasLow = low;
    low = free <= threshold;
    // A storage of few blocks must not run full between two questions, and nobody be warned.
    blocksToCheck =
        low
            ? CHECK_BLOCKS
            : Math.clamp((free - threshold) >> Location.BLOCK_SHIFT, 1, CHECK_BLOCKS);
    return low && !wasLow;
  }

  private OptionalLong fullSoon(long free, long nowNanos) {
    OptionalLong seconds = rate.secondsUntil(free, nowNanos);
    long left = seconds.orElse(Long.MAX_VALUE);
    if (left > CALM_SECONDS) {
      warned = false;
    }
    if (left >= WARN_SECONDS || warned) {
      return OptionalLong.empty();
    }
    warned = true;
    return seconds;
  }

  /** When so many bytes are used up at the present rate; empty when that cannot be told. */
  OptionalLong secondsUntil(long freeBytes, long nowNanos) {
    return rate.secondsUntil(freeBytes, nowNanos);
  }
}
