package blksnap.backup;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A store of objects that cannot be reached any more from a moment on: the change of that number is
 * not made, or is made and its answer is lost. It stays as it is then.
 */
final class DyingObjects implements ObjectStore {
  private final ObjectStore store;
  private final boolean lastIsMade;
  private int left;
  private boolean dead;

  /**
   * @param changes how many are made before that
   * @param lastIsMade whether the next one is made as well
   */
  DyingObjects(ObjectStore store, int changes, boolean lastIsMade) {
    this.store = store;
    this.left = changes;
    this.lastIsMade = lastIsMade;
  }

  synchronized boolean isDead() {
    return dead;
  }

  @FunctionalInterface
  private interface Ask<T> {
    T ask() throws IOException;
  }

  private <T> T change(Ask<T> request) throws IOException {
    boolean last;
    synchronized (this) {
      requireAlive();
      last = --left < 0;
      dead = last;
    }
    if (last && !lastIsMade) {
      throw new IOException("unreachable");
    }
    T answer = request.ask();
    if (last) {
      throw new IOException("the answer was lost");
    }
    return answer;
  }

  private synchronized void requireAlive() throws IOException {
    if (dead) {
      throw new IOException("unreachable");
    }
  }

  @Override
  public String name() {
    return store.name();
  }

  @Override
  public String place() {
    return store.place();
  }

  @Override
  public List<String> places() throws IOException {
    requireAlive();
    return store.places();
  }

  @Override
  public List<String> list(String prefix) throws IOException {
    requireAlive();
    return store.list(prefix);
  }

  @Override
  public Optional<Found> find(String object) throws IOException {
    requireAlive();
    return store.find(object);
  }

  @Override
  public void read(String object, Found found, long offset, ByteBuffer target) throws IOException {
    requireAlive();
    store.read(object, found, offset, target);
  }

  @Override
  public void put(String object, byte[] content) throws IOException {
    var _ =
        change(() -> {
          store.put(object, content);
          return object;
        });
  }

  @Override
  public boolean putIfAbsent(String object, byte[] content) throws IOException {
    return change(() -> store.putIfAbsent(object, content));
  }

  @Override
  public void put(String object, Piece content, Transfer transfer) throws IOException {
    var _ =
        change(() -> {
          store.put(object, content, transfer);
          return object;
        });
  }

  @Override
  public long partBytes(long sizeBytes) {
    return store.partBytes(sizeBytes);
  }

  @Override
  public String beginUpload(String object) throws IOException {
    return change(() -> store.beginUpload(object));
  }

  @Override
  public Optional<Map<Integer, Part>> parts(String object, String upload) throws IOException {
    requireAlive();
    return store.parts(object, upload);
  }

  @Override
  public String putPart(String object, String upload, int number, Piece content, Transfer transfer)
      throws IOException {
    return change(() -> store.putPart(object, upload, number, content, transfer));
  }

  @Override
  public void completeUpload(String object, String upload, List<String> tags) throws IOException {
    var _ =
        change(() -> {
          store.completeUpload(object, upload, tags);
          return object;
        });
  }

  @Override
  public void abandonUpload(String object, String upload) {
    if (!isDead()) {
      store.abandonUpload(object, upload);
    }
  }

  @Override
  public void delete(String object) throws IOException {
    var _ =
        change(() -> {
          store.delete(object);
          return object;
        });
  }

  @Override
  public void abandonUploads(String prefix, Set<String> but) throws IOException {
    requireAlive();
    store.abandonUploads(prefix, but);
  }

  @Override
  public void close() {}
}
