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
import java.nio.file.Files;
import java.nio.file.Path;
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
 * written is put together in a local file first, that no name leads to, and uploaded when it is
 * complete. Safe from many threads.
 */
public final class ObjectBackups implements BackupStore {
  /** What is read at a time; tables and clusters that are asked for next are often within. */
  static final int BLOCK_BYTES = 1 << 20;

  /** Kept in memory over all objects. */
  private static final int MAX_BLOCKS = 48;

  private static final String LOCK = ".lock";

  private final ObjectStore store;
  private final Path spool;
  private final ConcurrentMap<String, ObjectLease> leases = new ConcurrentHashMap<>();

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
   * @param spool directory for files that are put together
   */
  public ObjectBackups(ObjectStore store, Path spool) {
    this.store = store;
    this.spool = spool;
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
    Path beside = spool.resolve("blksnap-" + UUID.randomUUID() + ".part");
    NativeFile opened =
        NativeFile.open(beside, Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE_NEW));
    try {
      Files.delete(beside); // a kill leaves nothing of it
    } catch (IOException e) {
      Closing.after(e, List.of(opened));
      throw e;
    }
    return new Draft() {
      @Override
      public NativeFile file() {
        return opened;
      }

      @Override
      public void publish() throws IOException {
        requireLease(device);
        store.upload(object(device, file), new Spooled(opened, file));
        requireLease(device);
      }

      @Override
      public void close() throws IOException {
        opened.close();
      }
    };
  }

  /** What was put together. */
  private record Spooled(NativeFile file, String name) implements ByteFile {
    @Override
    public long sizeBytes() {
      try {
        return file.stat().sizeBytes();
      } catch (BlkSnapException e) {
        throw new java.io.UncheckedIOException(e);
      }
    }

    @Override
    public void read(long offset, ByteBuffer target) throws IOException {
      LocalFile.readFully(file, offset, target);
    }

    @Override
    public void close() {}
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
    return () -> {
      leases.remove(device, lease);
      lease.close();
    };
  }

  @Override
  public void removeDrafts(String device) throws IOException {
    store.abandonUploads(device + "/");
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
