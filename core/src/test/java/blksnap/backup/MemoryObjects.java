package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.qcow2.ByteFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;

/** Objects in memory, with a clock that stands still unless it is told. */
final class MemoryObjects implements ObjectStore {
  private final NavigableMap<String, Entry> objects = new TreeMap<>();
  private Duration now = Duration.ZERO;
  private long puts;

  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Entry(byte[] content, String tag, Duration at) {}

  synchronized void pass(Duration time) {
    now = now.plus(time);
  }

  synchronized byte[] content(String object) {
    return Objects.requireNonNull(objects.get(object)).content;
  }

  @Override
  public String name() {
    return "s3://memory/m";
  }

  @Override
  public synchronized List<String> places() {
    return objects.keySet().stream().map(name -> name.split("/", -1)[0]).distinct().toList();
  }

  @Override
  public synchronized List<String> list(String prefix) {
    return objects.keySet().stream().filter(name -> name.startsWith(prefix)).toList();
  }

  @Override
  public synchronized Optional<Found> find(String object) {
    return Optional.ofNullable(objects.get(object))
        .map(entry -> new Found(entry.content.length, entry.tag, now.minus(entry.at)));
  }

  @Override
  public synchronized void read(String object, Found found, long offset, ByteBuffer target)
      throws IOException {
    Entry entry = objects.get(object);
    if (entry == null || !entry.tag.equals(found.tag())) {
      throw new BlkSnapException(Errno.EIO, object + " was replaced");
    }
    target.put(entry.content, (int) offset, target.remaining());
  }

  @Override
  public synchronized void put(String object, byte[] content) {
    objects.put(object, new Entry(content.clone(), "t" + puts++, now));
  }

  @Override
  public synchronized boolean putIfAbsent(String object, byte[] content) {
    if (objects.containsKey(object)) {
      return false;
    }
    put(object, content);
    return true;
  }

  @Override
  public void upload(String object, ByteFile content) throws IOException {
    ByteBuffer all = ByteBuffer.allocateDirect((int) content.sizeBytes());
    content.read(0, all);
    byte[] bytes = new byte[all.capacity()];
    all.get(0, bytes);
    put(object, bytes);
  }

  @Override
  public synchronized void delete(String object) {
    objects.remove(object);
  }

  @Override
  public void abandonUploads(String prefix) {}

  @Override
  public void close() {}
}
