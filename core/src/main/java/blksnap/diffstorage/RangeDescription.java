package blksnap.diffstorage;

import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * What must be remembered of a range of diff storage to open it again.
 *
 * @param path absolute
 * @param offset first byte of it in the file or device
 * @param limitBytes most bytes used; empty: no limit
 * @param growable a file that grows
 * @param made the file was made for this and goes with it
 */
public record RangeDescription(
    Path path, long offset, OptionalLong limitBytes, boolean growable, boolean made) {}
