package blksnap.status;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.NearMiss;
import java.util.ArrayList;
import java.util.List;

/** Walks a {@link StatusNode} that was fetched; {@link LiveTree} is the engine's side. */
public final class StatusTree {
  private StatusTree() {}

  /**
   * The node at {@code path}.
   *
   * @throws BlkSnapException {@code ENOENT}, with the nearest name as a hint; {@code ENOTDIR} when
   *     the path goes on below an attribute
   */
  public static StatusNode find(StatusNode root, StatusPath path) throws BlkSnapException {
    StatusNode at = root;
    for (int depth = 0; depth < path.parts().size(); depth++) {
      at =
          switch (at) {
            case StatusNode.Attribute _ -> throw notDirectory(path.first(depth));
            case StatusNode.Directory directory -> entry(directory, path, depth);
          };
    }
    return at;
  }

  private static StatusNode entry(StatusNode.Directory directory, StatusPath path, int depth)
      throws BlkSnapException {
    String wanted = path.parts().get(depth);
    var names = new ArrayList<String>();
    for (StatusNode entry : directory.entries()) {
      if (entry.name().equals(wanted)) {
        return entry;
      }
      names.add(entry.name());
    }
    throw missing(path, depth, names);
  }

  /**
   * The attribute at {@code path}.
   *
   * @throws BlkSnapException as {@link #find}; {@code EISDIR} when it is a directory
   */
  public static StatusNode.Attribute attribute(StatusNode root, StatusPath path)
      throws BlkSnapException {
    return switch (find(root, path)) {
      case StatusNode.Attribute attribute -> attribute;
      case StatusNode.Directory _ -> throw isDirectory(path);
    };
  }

  /**
   * The directory at {@code path}.
   *
   * @throws BlkSnapException as {@link #find}; {@code ENOTDIR} when it is an attribute
   */
  public static StatusNode.Directory directory(StatusNode root, StatusPath path)
      throws BlkSnapException {
    return switch (find(root, path)) {
      case StatusNode.Directory directory -> directory;
      case StatusNode.Attribute _ -> throw notDirectory(path);
    };
  }

  static BlkSnapException missing(StatusPath path, int depth, List<String> names) {
    String wanted = path.parts().get(depth);
    var refusal =
        new BlkSnapException(Errno.ENOENT, "there is no '" + wanted + "' in " + path.first(depth));
    return NearMiss.hint(wanted, names).map(refusal::withHint).orElse(refusal);
  }

  static BlkSnapException notDirectory(StatusPath path) {
    return new BlkSnapException(Errno.ENOTDIR, path + " is a value, not a directory");
  }

  static BlkSnapException isDirectory(StatusPath path) {
    return new BlkSnapException(Errno.EISDIR, path + " is a directory")
        .withHint("'blksnap status " + path + "' prints what is in it");
  }
}
