package blksnap.diffarea;

import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;

/**
 * What an area is made with.
 *
 * @param id of the area, sealed into its mappings
 * @param sizeBytes of the device at the take
 * @param chunkShift log2 of the bytes in a chunk, 12 or more
 * @param logDirectory where its mappings are kept; empty: in memory only
 * @param syncEach make each old block and its mapping durable before the original is overwritten
 * @param fullPolicy what a writer does when there is no room for its old blocks
 */
public record AreaConfig(
    UUID id,
    long sizeBytes,
    int chunkShift,
    Optional<Path> logDirectory,
    boolean syncEach,
    FullPolicy fullPolicy) {
  /**
   * The smallest chunk, from {@code minimumShift} up, of which the device has at most {@code
   * maximumCount}.
   */
  public static int chunkShift(long sizeBytes, int minimumShift, long maximumCount) {
    int shift = minimumShift;
    while (((sizeBytes - 1) >>> shift) + 1 > maximumCount) {
      shift++;
    }
    return shift;
  }
}
