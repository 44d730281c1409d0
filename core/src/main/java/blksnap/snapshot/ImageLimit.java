package blksnap.snapshot;

/**
 * How fast each image of a snapshot may be read and written by all of its clients together.
 *
 * @param requestsPerSecond 0 for any number
 * @param bytesPerSecond 0 for any number
 */
public record ImageLimit(long requestsPerSecond, long bytesPerSecond) {
  /** As fast as can be. */
  public static final ImageLimit NONE = new ImageLimit(0, 0);

  /** Lets the largest request through in about half an hour. */
  public static final long MIN_BYTES_PER_SECOND = 16 << 10;

  public ImageLimit {
    if (!mayBe(requestsPerSecond, bytesPerSecond)) {
      throw new IllegalArgumentException(
          requestsPerSecond + " requests and " + bytesPerSecond + " bytes a second");
    }
  }

  /** Whether these make a limit, or none. */
  public static boolean mayBe(long requestsPerSecond, long bytesPerSecond) {
    return requestsPerSecond >= 0
        && (bytesPerSecond == 0 || bytesPerSecond >= MIN_BYTES_PER_SECOND);
  }
}
