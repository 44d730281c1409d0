package blksnap.cbt;

import java.util.UUID;

/**
 * How a frozen map relates to others. Its bytes count the intervals of {@code untilGeneration}, up
 * to {@code untilNumber}. What changed after it is what a later map of {@code sinceGeneration}
 * holds above {@code sinceNumber}. Both generations are the same but for the snapshot at which the
 * number wrapped: it ends one generation and is the zero of the next, so that no full backup is
 * needed across the wrap.
 */
public record IntervalNumbers(
    UUID untilGeneration, int untilNumber, UUID sinceGeneration, int sinceNumber) {}
