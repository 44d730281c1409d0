package blksnap.status;

import java.io.IOException;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The entries of one directory of a live tree, being described anew for each walk that enters it.
 * Not for use by several threads, and not to be kept: {@link LiveTree} makes one, has it filled,
 * looks, and drops it.
 */
public final class LiveDirectory {
  /** Reads a value at the moment it is printed: one line, without its end. */
  @FunctionalInterface
  public interface Reader {
    String read() throws IOException;
  }

  /** Takes a new value, or refuses it with an exception. */
  @FunctionalInterface
  public interface Writer {
    void write(String value) throws IOException;
  }

  /** What stands under a name. */
  sealed interface Entry {
    String name();

    record Directory(String name, Consumer<LiveDirectory> filler) implements Entry {}

    record Attribute(String name, Reader reader, Optional<Writer> writer) implements Entry {}
  }

  private final Map<String, Entry> entries = new LinkedHashMap<>();

  LiveDirectory() {}

  /** A read-only value, printed after the entries added before it. */
  public LiveDirectory attribute(String name, Reader reader) {
    return add(new Entry.Attribute(name, reader, Optional.empty()));
  }

  /** A value that can be changed. */
  public LiveDirectory attribute(String name, Reader reader, Writer writer) {
    return add(new Entry.Attribute(name, reader, Optional.of(writer)));
  }

  /**
   * A directory.
   *
   * @param filler describes its entries, called each time somebody looks into it and never
   *     otherwise
   */
  public LiveDirectory directory(String name, Consumer<LiveDirectory> filler) {
    return add(new Entry.Directory(name, filler));
  }

  private LiveDirectory add(Entry entry) {
    String name = entry.name();
    if (name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('/') >= 0) {
      throw new IllegalArgumentException("'" + name + "' can not be a name in the status tree");
    }
    if (entries.putIfAbsent(name, entry) != null) {
      throw new IllegalArgumentException("'" + name + "' is in the directory already");
    }
    return this;
  }

  Optional<Entry> find(String name) {
    return Optional.ofNullable(entries.get(name));
  }

  /** In the order they were added. */
  Collection<Entry> entries() {
    return Collections.unmodifiableCollection(entries.values());
  }
}
