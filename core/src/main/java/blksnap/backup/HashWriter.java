package blksnap.backup;

import blksnap.linux.NativeFile;
import blksnap.linux.Sha256;
import blksnap.qcow2.Clusters;
import blksnap.qcow2.LocalFile;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/** Writes a {@link HashFile}. Records come from many threads, groups are done in order. */
final class HashWriter {
  private final NativeFile file;
  private final ByteBuffer header;

  /** Guards all below. */
  private final Lock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final TreeMap<Integer, TreeMap<Integer, byte[]>> open = new TreeMap<>();

  @GuardedBy("lock")
  private ByteBuffer directory = HashFile.buffer(64 * HashFile.DIRECTORY_BYTES);

  @GuardedBy("lock")
  private long at = HashFile.HEADER_BYTES;

  HashWriter(NativeFile file, long diskBytes, UUID dataFile) {
    this.file = file;
    this.header = HashFile.header(diskBytes, dataFile);
  }

  /** What the manifest says of it. */
  record Finished(long bytes, String sha256) {}

  void put(long cluster, int data, int zero, byte[] hash) {
    int inGroup = (int) (cluster & (Clusters.TABLE_CLUSTERS - 1));
    ByteBuffer record =
        ByteBuffer.allocate(HashFile.RECORD_BYTES).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    record.putInt(inGroup).putInt(data).putInt(zero).put(hash);
    lock.lock();
    try {
      open.computeIfAbsent((int) (cluster >>> Clusters.TABLE_SHIFT), _ -> new TreeMap<>())
          .put(inGroup, record.array());
    } finally {
      lock.unlock();
    }
  }

  /** Stores the groups before this cluster's. */
  void finishBelow(long cluster) throws IOException {
    lock.lock();
    try {
      int end = (int) (cluster >>> Clusters.TABLE_SHIFT);
      while (!open.isEmpty() && open.firstKey() < end) {
        Map.Entry<Integer, TreeMap<Integer, byte[]>> group = open.pollFirstEntry();
        store(group.getKey(), group.getValue());
      }
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void store(int group, Map<Integer, byte[]> records) throws IOException {
    ByteBuffer all = HashFile.buffer(records.size() * HashFile.RECORD_BYTES);
    records.values().forEach(all::put);
    MessageDigest digest = Sha256.create();
    digest.update(all.flip());
    if (directory.remaining() < HashFile.DIRECTORY_BYTES) {
      directory = HashFile.buffer(2 * directory.capacity()).put(directory.flip());
    }
    directory.putInt(group).putInt(records.size()).putLong(at).put(digest.digest());
    LocalFile.writeFully(file, at, all.rewind());
    at += all.capacity();
  }

  Finished finish() throws IOException {
    finishBelow((long) Integer.MAX_VALUE << Clusters.TABLE_SHIFT);
    lock.lock();
    try {
      int groups = directory.position() / HashFile.DIRECTORY_BYTES;
      ByteBuffer end = HashFile.buffer(directory.position() + HashFile.END_BYTES);
      end.put(directory.flip()).putInt(groups).putInt(HashFile.MAGIC).flip();
      MessageDigest digest = Sha256.create();
      digest.update(header.duplicate());
      digest.update(end.duplicate());
      LocalFile.writeFully(file, 0, header.duplicate());
      long bytes = at + end.remaining();
      LocalFile.writeFully(file, at, end);
      return new Finished(bytes, HexFormat.of().formatHex(digest.digest()));
    } finally {
      lock.unlock();
    }
  }
}
