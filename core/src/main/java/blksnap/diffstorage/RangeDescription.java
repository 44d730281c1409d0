package blksnap.diffstorage;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
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
    Path path, long offset, OptionalLong limitBytes, boolean growable, boolean made) {

  /**
   * Judges one that was read from a disk.
   *
   * @throws BlkSnapException {@code EBADMSG} when it is none that we would have written
   */
  public void check() throws BlkSnapException {
    long most = Location.MAX_BLOCKS << Location.BLOCK_SHIFT;
    long limit = limitBytes.orElse(most);
    boolean placed =
        growable
            ? offset == 0 && limit > 0
            : limitBytes.isPresent()
                && offset >= 0
                && offset % Location.BLOCK_BYTES == 0
                && limit > 0
                && offset <= Long.MAX_VALUE - limit;
    if (!placed) {
      throw new BlkSnapException(Errno.EBADMSG, "a range of diff storage cannot be " + this);
    }
  }
}
