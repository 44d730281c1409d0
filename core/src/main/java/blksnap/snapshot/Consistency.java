package blksnap.snapshot;

/**
 * What the images of a take can be trusted to be.
 *
 * @param fileSystem whether the file systems that were named rested at the instant; else the images
 *     are as a disk after a power cut
 * @param reason a clause for people that says why
 */
public record Consistency(boolean fileSystem, String reason) {
  /** Of a take that asked no file system to rest. */
  public static final Consistency UNASKED = new Consistency(false, "no file system was frozen");

  /** The word for it on every interface. */
  public String word() {
    return fileSystem ? "filesystem-consistent" : "crash-consistent";
  }
}
