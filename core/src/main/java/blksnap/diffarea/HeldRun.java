package blksnap.diffarea;

/**
 * A run of an image.
 *
 * @param length bytes, positive
 * @param held stored for the image, preserved or written to it, rather than read from the device
 */
public record HeldRun(long length, boolean held) {
  public HeldRun {
    if (length <= 0) {
      throw new IllegalArgumentException("run length " + length + " is not positive");
    }
  }
}
