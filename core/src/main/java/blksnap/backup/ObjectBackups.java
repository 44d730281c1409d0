package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.qcow2.ByteFile;
import blksnap.qcow2.LocalFile;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Backups in a store of objects, called as the files of a {@link DirectoryStore} are. What is
 * written is put together in a local file first, and uploaded when it is complete; the files of a
 * new point are kept until it is one. Safe from many threads.
 */
public final class ObjectBackups implements BackupStore {
  /** What is read at a time; tables and clusters that are asked for next are often within. */
  static final int BLOCK_BYTES = 1 << 20;

  /** Kept in memory over all objects. */
  private static final int MAX_BLOCKS = 48;

  private static final String LOCK = ".lock";

  private final ObjectStore store;
  private final Spool spool;
  private final Uploader uploader;
  private final ConcurrentMap<String, ObjectLease> leases = new ConcurrentHashMap<>();

  /** By the names that they will have. */
  private final ConcurrentMap<String, SpooledDraft> drafts = new ConcurrentHashMap<>();

  /** Guards {@link #blocks}; not held while one is read. */
  private final Lock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final Map<Block, ByteBuffer> blocks =
      new LinkedHashMap<>(MAX_BLOCKS * 2, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Block, ByteBuffer> eldest) {
          return size() > MAX_BLOCKS;
        }
      };

  private record Block(String object, String tag, long number) {}

  /**
   * @param store closed by {@link #close}
   * @param files directory for files that are put together
   * @param records directory for what is known of them, made for us alone
   */
  public ObjectBackups(ObjectStore store, Path files, Path records) {
    this.store = store;
    this.spool = new Spool(files, records, store.place());
    this.uploader = new Uploader(store);
  }

  @Override
  public String name() {
    return store.name();
  }

  @Override
  public List<String> devices() throws IOException {
    return store.places().stream()
        .filter(name -> PointNames.DEVICE.matcher(name).matches())
        .toList();
  }

  @Override
  public List<String> files(String device) throws IOException {
    int start = device.length() + 1;
    return store.list(device + "/").stream()
        .map(object -> object.substring(start))
        .filter(file -> !file.startsWith("."))
        .toList();
  }

  private static String object(String device, String file) {
    return device + "/" + file;
  }

  private ObjectStore.Found found(String object) throws IOException {
    return store
        .find(object)
        .orElseThrow(
            () -> new BlkSnapException(Errno.ENOENT, "there is no " + store.name() + "/" + object));
  }

  @Override
  public byte[] read(String device, String file, int mostBytes) throws IOException {
    String object = object(device, file);
    ObjectStore.Found found = found(object);
    if (found.sizeBytes() > mostBytes) {
      throw new BlkSnapException(
          Errno.EFBIG, store.name() + "/" + object + " has " + found.sizeBytes() + " bytes");
    }
    byte[] bytes = new byte[(int) found.sizeBytes()];
    store.read(object, found, 0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  @Override
  public void write(String device, String file, byte[] content) throws IOException {
    requireLease(device);
    store.put(object(device, file), content);
  }

  /** What is changed of a device that others may have locked since would be theirs. */
  private void requireLease(String device) throws IOException {
    @Nullable ObjectLease lease = leases.get(device);
    if (lease != null) {
      lease.require();
    }
  }

  @Override
  public ByteFile open(String device, String file) throws IOException {
    String object = object(device, file);
    ObjectStore.Found found = found(object);
    return new ByteFile() {
      @Override
      public String name() {
        return store.name() + "/" + object;
      }

      @Override
      public long sizeBytes() {
        return found.sizeBytes();
      }

      @Override
      public void read(long offset, ByteBuffer target) throws IOException {
        if (offset + target.remaining() > found.sizeBytes()) {
          throw new BlkSnapException(
              Errno.EBADMSG,
              name() + " ends at " + found.sizeBytes() + ", before what is read from it");
        }
        for (long at = offset; target.hasRemaining(); ) {
          ByteBuffer block = block(object, found, at / BLOCK_BYTES);
          int from = (int) (at % BLOCK_BYTES);
          int length = Math.min(target.remaining(), block.limit() - from);
          target.put(block.slice(from, length));
          at += length;
        }
      }

      @Override
      public void close() {}
    };
  }

  private ByteBuffer block(String object, ObjectStore.Found found, long number) throws IOException {
    var key = new Block(object, found.tag(), number);
    lock.lock();
    try {
      @Nullable ByteBuffer known = blocks.get(key);
      if (known != null) {
        return known;
      }
    } finally {
      lock.unlock();
    }
    long offset = number * BLOCK_BYTES;
    ByteBuffer fresh = ByteBuffer.allocate((int) Math.min(BLOCK_BYTES, found.sizeBytes() - offset));
    store.read(object, found, offset, fresh);
    fresh.clear();
    lock.lock();
    try {
      blocks.put(key, fresh);
    } finally {
      lock.unlock();
    }
    return fresh;
  }

  @Override
  public Draft draft(String device, String file) throws IOException {
    var draft = new SpooledDraft(device, file, spool.create(device));
    drafts.put(object(device, file), draft);
    return draft;
  }

  /** A file of this machine that will be an object. */
  private final class SpooledDraft implements Draft {
    private final String device;
    private final String name;
    private final Spool.Draft draft;
    private boolean kept;

    SpooledDraft(String device, String name, Spool.Draft draft) {
      this.device = device;
      this.name = name;
      this.draft = draft;
    }

    @Override
    public NativeFile file() {
      return draft.file();
    }

    @Override
    public void publish(Transfer transfer) throws IOException {
      String object = object(device, name);
      requireLease(device);
      try (ByteFile content = LocalFile.open(file().path())) {
        Parcel parcel = uploader.measure(content, transfer);
        Optional<String> upload = uploader.begin(object, parcel);
        try {
          uploader.send(object, parcel, upload, content, transfer);
        } catch (IOException | RuntimeException e) {
          upload.ifPresent(id -> store.abandonUpload(object, id));
          throw e;
        }
      }
      requireLease(device);
    }

    /** What it is as a file that is complete; an upload of it is begun. */
    Spool.Item complete(Transfer transfer) throws IOException {
      file().sync();
      try (ByteFile content = LocalFile.open(file().path())) {
        Parcel parcel = uploader.measure(content, transfer);
        return new Spool.Item(
            name, file().path(), parcel, uploader.begin(object(device, name), parcel));
      }
    }

    @Override
    public void close() throws IOException {
      drafts.remove(object(device, name), this);
      Closing.all(List.of(draft.file(), (Closeable) this::remove));
    }

    private void remove() throws IOException {
      if (!kept) {
        spool.remove(draft);
      }
    }
  }

  @Override
  public Optional<Unsent> keep(Manifest point, Optional<UUID> below, Transfer transfer)
      throws IOException {
    requireLease(point.device());
    List<SpooledDraft> all = new ArrayList<>();
    List<Spool.Item> items = new ArrayList<>();
    for (String file : point.content()) {
      SpooledDraft draft = drafts.get(object(point.device(), file));
      if (draft == null) {
        throw new IllegalArgumentException("there is no draft of " + file);
      }
      all.add(draft);
      items.add(draft.complete(transfer));
    }
    var kept = new Spool.Kept(point, below, items);
    Path record = spool.keep(kept, all.stream().map(draft -> draft.draft).toList());
    all.forEach(draft -> draft.kept = true);
    return Optional.of(
        new KeptPoint(point.device(), new Spool.Found(record, Optional.of(kept)), false));
  }

  @Override
  public List<Unsent> unsent(String device) throws IOException {
    List<Unsent> all = new ArrayList<>();
    for (Spool.Found found : spool.kept(device)) {
      all.add(new KeptPoint(device, found, true));
    }
    return all;
  }

  /** A point whose files are on this machine. One thread. */
  private final class KeptPoint implements Unsent {
    private final String device;

    /** Another process has made it. */
    private final boolean resumed;

    private Spool.Found found;

    KeptPoint(String device, Spool.Found found, boolean resumed) {
      this.device = device;
      this.found = found;
      this.resumed = resumed;
    }

    @Override
    public Optional<Manifest> point() {
      return found.kept().map(Spool.Kept::point);
    }

    @Override
    public Optional<UUID> below() {
      return found.kept().flatMap(Spool.Kept::below);
    }

    @Override
    public void publish(Transfer transfer) throws IOException {
      requireLease(device);
      for (Spool.Item item : found.kept().orElseThrow().items()) {
        try (ByteFile content = open(item)) {
          send(item, content, transfer);
        }
      }
      requireLease(device);
    }

    private ByteFile open(Spool.Item item) throws BlkSnapException {
      try {
        return LocalFile.open(item.path());
      } catch (BlkSnapException e) {
        if (e.errno() == Errno.ENOENT) {
          throw new BlkSnapException(Errno.EBADMSG, item.path() + " is gone", e);
        }
        throw e;
      }
    }

    private void send(Spool.Item item, ByteFile content, Transfer transfer) throws IOException {
      String object = object(device, item.name());
      if (resumed) {
        Uploader.Anew anew = id -> note(item, id);
        uploader.resume(object, item.parcel(), item.upload(), anew, content, transfer);
      } else {
        uploader.send(object, item.parcel(), item.upload(), content, transfer);
      }
    }

    private void note(Spool.Item item, String upload) throws IOException {
      Spool.Kept kept =
          found
              .kept()
              .orElseThrow()
              .with(new Spool.Item(item.name(), item.path(), item.parcel(), Optional.of(upload)));
      found = new Spool.Found(found.record(), Optional.of(kept));
      spool.write(found.record(), kept);
    }

    @Override
    public void forget() throws IOException {
      spool.remove(found);
    }
  }

  @Override
  public void delete(String device, String file) throws IOException {
    requireLease(device);
    store.delete(object(device, file));
  }

  @Override
  public Closeable lock(String device) throws IOException {
    ObjectLease lease = ObjectLease.take(store, object(device, LOCK));
    leases.put(device, lease);
    Closeable release =
        () -> {
          leases.remove(device, lease);
          lease.close();
        };
    return () -> Closing.all(List.of(() -> spool.tidy(device), release));
  }

  @Override
  public void removeDrafts(String device) throws IOException {
    Set<String> kept = new HashSet<>();
    for (Spool.Found found : spool.kept(device)) {
      found
          .kept()
          .ifPresent(point -> point.items().forEach(item -> item.upload().ifPresent(kept::add)));
    }
    spool.removeDrafts(device);
    store.abandonUploads(device + "/", kept);
  }

  @Override
  public void close() throws IOException {
    Optional<ObjectLease> left = leases.values().stream().findFirst();
    if (left.isPresent()) {
      throw new IllegalStateException("closed while a device is locked");
    }
    store.close();
  }
}
