package blksnap.testing;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

/**
 * Tests that need more than the JDK: root, a tool, a kernel feature. They are skipped with the
 * reason where it is missing, and fail instead where {@code BLKSNAP_REQUIRE_REAL_CLIENTS=1} says
 * that it must be there.
 */
public final class RealClients {
  private static final String REQUIRED = "BLKSNAP_REQUIRE_REAL_CLIENTS";

  private RealClients() {}

  /** Goes on when {@code available}. */
  public static void require(boolean available, String whatIsMissing) {
    if (!prefer(available, whatIsMissing)) {
      abort(whatIsMissing);
    }
  }

  /**
   * Whether it is {@code available}; for a test that can do with less, but not where it must be
   * there.
   */
  public static boolean prefer(boolean available, String whatIsMissing) {
    if (!available && "1".equals(System.getenv(REQUIRED))) {
      fail(whatIsMissing + ", and " + REQUIRED + "=1");
    }
    return available;
  }
}
