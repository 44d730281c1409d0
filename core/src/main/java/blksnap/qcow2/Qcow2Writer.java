package blksnap.qcow2;

import blksnap.linux.NativeFile;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Writes an image into an empty file. Clusters of the disk are put once each, by many threads;
 * {@link #finishBelow} tells how far all are done, so that memory does not grow with the disk. The
 * header is written last: what was not finished is no image. The file is not made durable here.
 */
public final class Qcow2Writer {
  /** More of a cluster than this is put into one of its own. */
  private static final int MOST_SHARED = Clusters.SUBS / 2;

  private final NativeFile file;
  private final UUID id;
  private final Optional<String> backing;
  private final Compression compression;
  private final long diskBytes;

  /**
   * Held to write data: file systems let one thread at a time write to a file, and the others would
   * wait in the kernel at the cost of a processor. Taken after {@link #lock}, if both are.
   */
  private final Lock turn = new ReentrantLock();

  /** Guards all below; most data is written without it. */
  private final Lock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final HostClusters host;

  @GuardedBy("lock")
  private final SharedClusters shared = new SharedClusters();

  @GuardedBy("lock")
  private final TreeMap<Integer, ByteBuffer> tables = new TreeMap<>();

  @GuardedBy("lock")
  private final long[] l1;

  @GuardedBy("lock")
  private final ByteBuffer patch = ByteBuffer.allocateDirect(Long.BYTES);

  /**
   * The cluster that compressed data is being put into, where it goes on, and how often it is used.
   */
  @GuardedBy("lock")
  private long packedCluster;

  @GuardedBy("lock")
  private long packedAt;

  @GuardedBy("lock")
  private int packedReferences;

  /**
   * @param file empty, open for reading and writing; stays the caller's
   * @param backing name of the file below, in the same directory
   * @param compression of what is put compressed
   * @param diskBytes a positive multiple of 512
   */
  public Qcow2Writer(
      NativeFile file, UUID id, Optional<String> backing, Compression compression, long diskBytes) {
    if (diskBytes <= 0 || diskBytes > Clusters.MAX_DISK_BYTES) {
      throw new IllegalArgumentException("a disk of " + diskBytes + " bytes");
    }
    this.file = file;
    this.id = id;
    this.backing = backing;
    this.compression = compression;
    this.diskBytes = diskBytes;
    this.host = new HostClusters(file);
    this.l1 = new long[Qcow2Header.l1Entries(diskBytes)];
  }

  /**
   * Puts a cluster.
   *
   * @param data sub-clusters that are stored
   * @param zero sub-clusters that read as zeroes whatever is below; none of them is data
   * @param content the whole cluster from position 0 on, direct; only data is looked at
   */
  public void put(long cluster, int data, int zero, ByteBuffer content) throws IOException {
    if ((data & zero) != 0) {
      throw new IllegalArgumentException("cluster " + cluster + " is data and zero");
    }
    if (data == Clusters.ALL) {
      putRun(cluster, 1, content.slice(0, Clusters.CLUSTER_BYTES));
      return;
    }
    long bitmap = Integer.toUnsignedLong(data) | (long) zero << 32;
    if (data == 0) {
      set(cluster, 0, bitmap);
      return;
    }
    if (Integer.bitCount(data) > MOST_SHARED) {
      write(own(cluster, bitmap), data, content);
    } else {
      share(cluster, data, bitmap, content);
    }
  }

  /** Writes sub-clusters of a cluster of the file. */
  private void write(long at, int data, ByteBuffer content) throws IOException {
    for (int sub = 0; sub < Clusters.SUBS && data >>> sub != 0; ) {
      int run = Clusters.run(data, sub);
      if ((data >>> sub & 1) != 0) {
        int from = sub << Clusters.SUB_SHIFT;
        writeData(at + from, content.slice(from, run << Clusters.SUB_SHIFT));
      }
      sub += run;
    }
  }

  private long own(long cluster, long bitmap) throws IOException {
    lock.lock();
    try {
      long own = HostClusters.offset(host.take(1));
      setLocked(cluster, own | Qcow2File.COPIED, bitmap);
      return own;
    } finally {
      lock.unlock();
    }
  }

  /** Puts a part of a cluster beside parts of others. */
  private void share(long cluster, int data, long bitmap, ByteBuffer content) throws IOException {
    SharedClusters.@Nullable Shared full = null;
    lock.lock();
    try {
      SharedClusters.@Nullable Shared place = shared.place(data);
      if (place == null) {
        place = shared.open(host.take(1), cluster, data);
        full = shared.surplus();
        if (full != null) {
          close(full);
        }
      }
      place.copy(content, data);
      // Whether it is the only one is known when the place closes.
      setLocked(cluster, HostClusters.offset(place.host), bitmap);
    } finally {
      lock.unlock();
    }
    if (full != null) {
      write(HostClusters.offset(full.host), full.used(), full.content());
      reuse(full);
    }
  }

  private void reuse(SharedClusters.Shared written) {
    lock.lock();
    try {
      shared.written(written);
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void close(SharedClusters.Shared place) throws IOException {
    if (place.references() > 1) {
      host.count(place.host, place.references());
      return;
    }
    long descriptor = HostClusters.offset(place.host) | Qcow2File.COPIED;
    int table = (int) (place.firstGuest >>> Clusters.TABLE_SHIFT);
    int at = at(place.firstGuest);
    @Nullable ByteBuffer live = tables.get(table);
    if (live != null) {
      live.putLong(at, descriptor);
    } else {
      patch.clear().putLong(descriptor).flip();
      LocalFile.writeFully(file, (l1[table] & Qcow2File.OFFSET_BITS) + at, patch);
    }
  }

  /**
   * Puts neighbouring clusters that are data altogether.
   *
   * @param content as many clusters from its position on, direct
   */
  public void putRun(long first, int count, ByteBuffer content) throws IOException {
    long at;
    lock.lock();
    try {
      at = HostClusters.offset(host.take(count));
      for (int i = 0; i < count; i++) {
        long descriptor = at + ((long) i << Clusters.CLUSTER_SHIFT) | Qcow2File.COPIED;
        setLocked(first + i, descriptor, Integer.toUnsignedLong(Clusters.ALL));
      }
    } finally {
      lock.unlock();
    }
    writeData(at, content);
  }

  /**
   * Puts a whole cluster that was compressed.
   *
   * @param packed by the image's compression, direct, shorter than a cluster
   */
  public void putCompressed(long cluster, ByteBuffer packed) throws IOException {
    int length = packed.remaining();
    if (length == 0 || length >= Clusters.CLUSTER_BYTES) {
      throw new IllegalArgumentException("a compressed cluster of " + length + " bytes");
    }
    long at;
    lock.lock();
    try {
      at = placePacked(length);
      int used = (int) (at & (Qcow2File.SECTOR_BYTES - 1)) + length;
      int sectors = (used + Qcow2File.SECTOR_BYTES - 1) / Qcow2File.SECTOR_BYTES;
      setLocked(
          cluster, Qcow2File.COMPRESSED | (sectors - 1L) << Qcow2File.COMPRESSED_SHIFT | at, 0);
    } finally {
      lock.unlock();
    }
    writeData(at, packed);
  }

  private void writeData(long at, ByteBuffer content) throws IOException {
    turn.lock();
    try {
      LocalFile.writeFully(file, at, content);
    } finally {
      turn.unlock();
    }
  }

  @GuardedBy("lock")
  private long placePacked(int length) throws IOException {
    long end = HostClusters.offset(packedCluster + 1);
    if (packedCluster != 0 && packedAt + length <= end) {
      packedReferences++;
    } else {
      long fresh = host.take(1);
      boolean goesOn = packedCluster != 0 && fresh == packedCluster + 1 && packedAt < end;
      if (goesOn) {
        packedReferences++;
      } else {
        packedAt = HostClusters.offset(fresh);
      }
      countPacked();
      packedCluster = fresh;
      packedReferences = 1;
    }
    long at = packedAt;
    packedAt += length;
    return at;
  }

  @GuardedBy("lock")
  private void countPacked() throws IOException {
    if (packedCluster != 0) {
      host.count(packedCluster, packedReferences);
    }
  }

  private void set(long cluster, long descriptor, long bitmap) {
    lock.lock();
    try {
      setLocked(cluster, descriptor, bitmap);
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void setLocked(long cluster, long descriptor, long bitmap) {
    int index = (int) (cluster >>> Clusters.TABLE_SHIFT);
    if (cluster < 0 || cluster >= Clusters.count(diskBytes) || l1[index] != 0) {
      throw new IllegalArgumentException("cluster " + cluster + " is beyond or behind");
    }
    ByteBuffer table =
        tables.computeIfAbsent(index, _ -> ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES));
    table.putLong(at(cluster), descriptor).putLong(at(cluster) + Long.BYTES, bitmap);
  }

  private static int at(long cluster) {
    return (int) (cluster & (Clusters.TABLE_CLUSTERS - 1)) * 2 * Long.BYTES;
  }

  /** Stores what maps clusters before this one; none of them will be put any more. */
  public void finishBelow(long cluster) throws IOException {
    lock.lock();
    try {
      int end = (int) (cluster >>> Clusters.TABLE_SHIFT);
      while (!tables.isEmpty() && tables.firstKey() < end) {
        Map.Entry<Integer, ByteBuffer> table = tables.pollFirstEntry();
        long at = HostClusters.offset(host.take(1));
        writeTable(at, table.getValue());
        l1[table.getKey()] = at | Qcow2File.COPIED;
      }
    } finally {
      lock.unlock();
    }
  }

  /** Pages of nothing stay holes. */
  private void writeTable(long at, ByteBuffer table) throws IOException {
    int empty = Qcow2Chain.zeroes(table, Clusters.ALL);
    for (int page = 0; page < Clusters.SUBS; ) {
      int run = Clusters.run(empty, page);
      if ((empty >>> page & 1) == 0) {
        int from = page << Clusters.SUB_SHIFT;
        LocalFile.writeFully(file, at + from, table.slice(from, run << Clusters.SUB_SHIFT));
      }
      page += run;
    }
  }

  /** Stores all that is left, and the header; every cluster has been put. */
  public void finish() throws IOException {
    finishBelow((long) Qcow2Header.l1Entries(diskBytes) << Clusters.TABLE_SHIFT);
    lock.lock();
    try {
      for (SharedClusters.Shared place : shared.drain()) {
        close(place);
        write(HostClusters.offset(place.host), place.used(), place.content());
      }
      countPacked();
      ByteBuffer table = ByteBuffer.allocateDirect(l1.length * Long.BYTES);
      for (long entry : l1) {
        table.putLong(entry);
      }
      LocalFile.writeFully(file, HostClusters.offset(HostClusters.L1_TABLE), table.flip());
      file.truncate(host.finish());
      var header =
          new Qcow2Header(
              id,
              backing,
              compression,
              diskBytes,
              l1.length,
              HostClusters.offset(HostClusters.L1_TABLE),
              HostClusters.offset(HostClusters.REFCOUNT_TABLE),
              1);
      LocalFile.writeFully(file, 0, header.encode());
    } finally {
      lock.unlock();
    }
  }
}
