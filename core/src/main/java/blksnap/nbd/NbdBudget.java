package blksnap.nbd;

import java.util.concurrent.Semaphore;

/**
 * What all connections together may hold of payload memory. Small payloads have a quarter of it to
 * themselves, so that those who move much do not keep out those who move little. Whoever asks first
 * is served first.
 */
final class NbdBudget {
  /** The largest payload that counts as small. */
  static final int SMALL_BYTES = 1 << 20;

  private final Semaphore small;
  private final Semaphore large;

  /**
   * @param bytes in all, at least twice the largest payload
   */
  NbdBudget(long bytes) {
    long smallBytes = bytes / 4;
    if (bytes - smallBytes < NbdProtocol.MAX_PAYLOAD_BYTES || smallBytes < SMALL_BYTES) {
      throw new IllegalArgumentException(bytes + " bytes of payload memory are too few");
    }
    this.small = pages(smallBytes);
    this.large = pages(bytes - smallBytes);
  }

  private static Semaphore pages(long bytes) {
    return new Semaphore(Math.toIntExact(bytes / NbdPayloads.PAGE_BYTES), true);
  }

  /** What pages for a payload of this size are taken from. */
  Semaphore of(int bytes) {
    return bytes <= SMALL_BYTES ? small : large;
  }
}
