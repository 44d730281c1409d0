package blksnap.snapshot;

import blksnap.diffarea.FullPolicy;

/**
 * What a snapshot is created with.
 *
 * @param name empty: its UUID names it
 * @param imageLimit may be changed later
 */
public record SnapshotConfig(
    String name, Durability durability, FullPolicy onFull, ImageLimit imageLimit) {
  /** Without a limit. */
  public SnapshotConfig(String name, Durability durability, FullPolicy onFull) {
    this(name, durability, onFull, ImageLimit.NONE);
  }

  SnapshotConfig with(ImageLimit limit) {
    return new SnapshotConfig(name, durability, onFull, limit);
  }
}
