package blksnap.snapshot;

import blksnap.cbt.CbtSnapshot;
import blksnap.diffarea.DiffArea;
import blksnap.error.Errno;
import blksnap.snapimage.SnapImage;
import java.util.Optional;

/** One device of a snapshot: what of it there is in each state. */
public sealed interface SnapshotPart {
  /** The device's name. */
  String device();

  /** Named, not yet taken. */
  record Named(String device) implements SnapshotPart {}

  /** Taken: its old blocks, its frozen change map and its image. */
  record Taken(String device, DiffArea area, CbtSnapshot frozen, SnapImage image)
      implements SnapshotPart {}

  /** Taken by an earlier engine, and not to be read any more. */
  record Lost(String device, Errno cause) implements SnapshotPart {}

  /** Why it cannot be read; empty while it can, or will. */
  default Optional<Errno> corruption() {
    return switch (this) {
      case Named named -> Optional.empty();
      case Taken taken -> taken.area().corruption();
      case Lost lost -> Optional.of(lost.cause());
    };
  }
}
