package blksnap.status;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The status tree of a running engine: nothing in it is stored, and only the part that is asked for
 * is read. As safe for many threads as the readers and writers it was given.
 */
public final class LiveTree {
  private final LiveDirectory.Entry.Directory root;

  /**
   * @param filler describes the entries of the root, once a walk
   */
  public LiveTree(Consumer<LiveDirectory> filler) {
    root = new LiveDirectory.Entry.Directory("", filler);
  }

  /**
   * Everything at and below {@code path}, read now. A value below it that cannot be read is shown
   * as its errno in brackets, {@code (EIO)}, so that one broken device does not hide the others.
   *
   * @throws BlkSnapException {@code ENOENT}, {@code ENOTDIR}, {@code ENAMETOOLONG}
   * @throws IOException when {@code path} is a value that cannot be read
   */
  public StatusNode snapshot(String path) throws IOException {
    return switch (find(StatusPath.of(path))) {
      case LiveDirectory.Entry.Attribute(var name, var reader, var writer) ->
          new StatusNode.Attribute(name, reader.read(), writer.isPresent());
      case LiveDirectory.Entry.Directory directory -> read(directory);
    };
  }

  /**
   * One value, read now.
   *
   * @throws BlkSnapException {@code ENOENT}, {@code ENOTDIR}, {@code ENAMETOOLONG}; {@code EISDIR}
   *     for a directory
   * @throws IOException when the value cannot be read
   */
  public String read(String path) throws IOException {
    return attribute(StatusPath.of(path)).reader().read();
  }

  /**
   * Changes one value.
   *
   * @throws BlkSnapException {@code ENOENT}, {@code ENOTDIR}, {@code ENAMETOOLONG}; {@code EISDIR}
   *     for a directory; {@code EACCES} when the value is read-only
   * @throws IOException when the value is refused
   */
  public void write(String path, String value) throws IOException {
    StatusPath where = StatusPath.of(path);
    Optional<LiveDirectory.Writer> writer = attribute(where).writer();
    if (writer.isEmpty()) {
      throw new BlkSnapException(Errno.EACCES, where + " can only be read");
    }
    writer.get().write(value);
  }

  private LiveDirectory.Entry.Attribute attribute(StatusPath path) throws BlkSnapException {
    return switch (find(path)) {
      case LiveDirectory.Entry.Attribute attribute -> attribute;
      case LiveDirectory.Entry.Directory _ -> throw StatusTree.isDirectory(path);
    };
  }

  private LiveDirectory.Entry find(StatusPath path) throws BlkSnapException {
    LiveDirectory.Entry at = root;
    for (int depth = 0; depth < path.parts().size(); depth++) {
      at =
          switch (at) {
            case LiveDirectory.Entry.Attribute _ ->
                throw StatusTree.notDirectory(path.first(depth));
            case LiveDirectory.Entry.Directory directory -> entry(directory, path, depth);
          };
    }
    return at;
  }

  private static LiveDirectory.Entry entry(
      LiveDirectory.Entry.Directory directory, StatusPath path, int depth) throws BlkSnapException {
    LiveDirectory filled = filled(directory);
    Optional<LiveDirectory.Entry> found = filled.find(path.parts().get(depth));
    if (found.isPresent()) {
      return found.get();
    }
    var names = new ArrayList<String>();
    for (LiveDirectory.Entry entry : filled.entries()) {
      names.add(entry.name());
    }
    throw StatusTree.missing(path, depth, names);
  }

  private static LiveDirectory filled(LiveDirectory.Entry.Directory directory) {
    var filled = new LiveDirectory();
    directory.filler().accept(filled);
    return filled;
  }

  private static StatusNode.Directory read(LiveDirectory.Entry.Directory directory) {
    List<StatusNode> nodes = new ArrayList<>();
    for (LiveDirectory.Entry entry : filled(directory).entries()) {
      nodes.add(
          switch (entry) {
            case LiveDirectory.Entry.Directory below -> read(below);
            case LiveDirectory.Entry.Attribute(var name, var reader, var writer) ->
                new StatusNode.Attribute(name, valueOrErrno(reader), writer.isPresent());
          });
    }
    return new StatusNode.Directory(directory.name(), nodes);
  }

  private static String valueOrErrno(LiveDirectory.Reader reader) {
    try {
      return reader.read();
    } catch (BlkSnapException e) {
      return "(" + e.errno() + ")";
    } catch (IOException _) {
      return "(" + Errno.EIO + ")";
    }
  }
}
