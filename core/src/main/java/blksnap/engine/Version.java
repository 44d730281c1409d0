package blksnap.engine;

/** What this program calls itself. */
public final class Version {
  /** major.minor.revision.build */
  public static final String TEXT = "1.0.0.0";

  static final String NAME = "blksnap";
  static final String LICENSE = "Apache-2.0";
  static final String DESCRIPTION =
      "Snapshots of block devices and tracking of changed blocks, in user space";

  private Version() {}
}
