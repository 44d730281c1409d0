package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Objects in memory, with tags as stores of S3 have them, small parts, and a clock that stands
 * still unless it is told.
 */
final class MemoryObjects implements ObjectStore {
  static final int PART_BYTES = 1 << 17;

  private final NavigableMap<String, Entry> objects = new TreeMap<>();
  private Duration now = Duration.ZERO;

  /** Parts of uploads that were begun, by their ids and numbers. */
  private final Map<String, NavigableMap<Integer, byte[]>> uploads = new TreeMap<>();

  private int begun;
  private int again;
  private long sent;

  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Entry(byte[] content, String tag, Duration at) {}

  synchronized void pass(Duration time) {
    now = now.plus(time);
  }

  synchronized byte[] content(String object) {
    return Objects.requireNonNull(objects.get(object)).content;
  }

  /** How often something was sent that was there. */
  synchronized int again() {
    return again;
  }

  /** Bytes of files that were sent. */
  synchronized long sent() {
    return sent;
  }

  /** Uploads that are neither complete nor given up. */
  synchronized int uploads() {
    return uploads.size();
  }

  synchronized int parts() {
    return uploads.values().stream().mapToInt(Map::size).sum();
  }

  @Override
  public String place() {
    return name();
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
    objects.put(object, new Entry(content.clone(), hex(md5(content)), now));
  }

  @Override
  public synchronized boolean putIfAbsent(String object, byte[] content) {
    if (objects.containsKey(object)) {
      return false;
    }
    put(object, content);
    return true;
  }

  private static byte[] md5(byte[] content) {
    return Uploader.md5().digest(content);
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  /** What a store gets, which refuses it when it is not what was said. */
  private static byte[] receive(Piece piece, Transfer transfer) throws IOException {
    ByteBuffer all = ByteBuffer.allocateDirect((int) piece.length());
    piece.content().read(piece.offset(), all);
    byte[] bytes = new byte[all.capacity()];
    all.get(0, bytes);
    if (!hex(md5(bytes)).equals(piece.md5())) {
      throw new BlkSnapException(Errno.EIO, "400 BadDigest");
    }
    transfer.hold(bytes.length);
    transfer.sent(bytes.length);
    return bytes;
  }

  @Override
  public void put(String object, Piece content, Transfer transfer) throws IOException {
    byte[] bytes = receive(content, transfer);
    synchronized (this) {
      Entry before = objects.get(object);
      again += before != null && before.tag.equals(content.md5()) ? 1 : 0;
      sent += bytes.length;
      put(object, bytes);
    }
  }

  @Override
  public long partBytes(long sizeBytes) {
    return PART_BYTES;
  }

  @Override
  public synchronized String beginUpload(String object) {
    String id = object + "#" + begun++;
    uploads.put(id, new TreeMap<>());
    return id;
  }

  @Override
  public synchronized Optional<Map<Integer, Part>> parts(String object, String upload) {
    return Optional.ofNullable(uploads.get(upload))
        .map(parts -> {
          Map<Integer, Part> all = new TreeMap<>();
          parts.forEach((number, bytes) ->
              all.put(number, new Part(bytes.length, "\"" + hex(md5(bytes)) + "\"")));
          return all;
        });
  }

  private NavigableMap<Integer, byte[]> upload(String id) throws BlkSnapException {
    NavigableMap<Integer, byte[]> upload = uploads.get(id);
    if (upload == null) {
      throw new BlkSnapException(Errno.ENOENT, "404 NoSuchUpload " + id);
    }
    return upload;
  }

  @Override
  public String putPart(String object, String upload, int number, Piece content, Transfer transfer)
      throws IOException {
    byte[] bytes = receive(content, transfer);
    synchronized (this) {
      sent += bytes.length;
      again += upload(upload).put(number, bytes) != null ? 1 : 0;
    }
    return content.md5();
  }

  @Override
  public synchronized void completeUpload(String object, String upload, List<String> tags)
      throws IOException {
    NavigableMap<Integer, byte[]> parts = upload(upload);
    var content = new ByteArrayOutputStream();
    var all = Uploader.md5();
    for (int i = 0; i < tags.size(); i++) {
      byte[] part = Objects.requireNonNull(parts.get(i + 1));
      if (!hex(md5(part)).equals(tags.get(i).replace("\"", ""))) {
        throw new BlkSnapException(Errno.EIO, "400 InvalidPart");
      }
      content.write(part);
      all.update(md5(part));
    }
    uploads.remove(upload);
    String tag = hex(all.digest()) + "-" + tags.size();
    objects.put(object, new Entry(content.toByteArray(), tag, now));
  }

  @Override
  public synchronized void abandonUpload(String object, String upload) {
    uploads.remove(upload);
  }

  @Override
  public synchronized void delete(String object) {
    objects.remove(object);
  }

  @Override
  public synchronized void abandonUploads(String prefix, Set<String> but) {
    uploads.keySet().removeIf(id -> id.startsWith(prefix) && !but.contains(id));
  }

  @Override
  public void close() {}
}
