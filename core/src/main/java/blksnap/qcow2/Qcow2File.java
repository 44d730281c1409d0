package blksnap.qcow2;

import blksnap.error.BlkSnapException;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One image that {@link Qcow2Writer} made, read without those below it. Tables are read when they
 * are needed and a few are kept; every number in them is judged before it is used. Safe from many
 * threads.
 */
public final class Qcow2File implements Closeable {
  /** L2 tables kept of one file: a reader goes over the disk from its start to its end. */
  private static final int MAX_TABLES = 2;

  static final long OFFSET_BITS = 0x00ff_ffff_ffff_fe00L;
  static final long COPIED = 1L << 63;
  static final long COMPRESSED = 1L << 62;

  /** Where the count of further sectors begins in the entry of a compressed cluster. */
  static final int COMPRESSED_SHIFT = 62 - (Clusters.CLUSTER_SHIFT - 8);

  static final int SECTOR_BYTES = 512;

  private final ByteFile file;
  private final Qcow2Header header;
  private final long[] l1;

  /** Guards {@link #tables}; not held while one is read. */
  private final Lock tablesLock = new ReentrantLock();

  @GuardedBy("tablesLock")
  private final Map<Integer, ByteBuffer> tables =
      new LinkedHashMap<>(MAX_TABLES * 2, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, ByteBuffer> eldest) {
          return size() > MAX_TABLES;
        }
      };

  private Qcow2File(ByteFile file, Qcow2Header header, long[] l1) {
    this.file = file;
    this.header = header;
    this.l1 = l1;
  }

  /**
   * Opens an image; closing it closes {@code file}.
   *
   * @throws BlkSnapException {@code EBADMSG} when it is none of ours, or damaged
   */
  public static Qcow2File open(ByteFile file) throws IOException {
    ByteBuffer first =
        ByteBuffer.allocateDirect((int) Math.min(Qcow2Header.BYTES, file.sizeBytes()));
    file.read(0, first);
    Qcow2Header header = Qcow2Header.decode(first.flip(), file.name());
    ByteBuffer table = ByteBuffer.allocateDirect(header.l1Entries() * Long.BYTES);
    if (!isCluster(file, header.l1Offset())) {
      throw notCluster(file, header.l1Offset(), "its L1 table");
    }
    file.read(header.l1Offset(), table);
    long[] l1 = new long[header.l1Entries()];
    table.flip().asLongBuffer().get(l1);
    for (int i = 0; i < l1.length; i++) {
      l1[i] &= OFFSET_BITS;
      if (l1[i] != 0 && !isCluster(file, l1[i])) {
        throw notCluster(file, l1[i], "L2 table " + i);
      }
    }
    return new Qcow2File(file, header, l1);
  }

  private static boolean isCluster(ByteFile file, long offset) {
    boolean inside = offset > 0 && offset <= file.sizeBytes() - Clusters.CLUSTER_BYTES;
    return inside && (offset & (Clusters.CLUSTER_BYTES - 1)) == 0;
  }

  private static BlkSnapException notCluster(ByteFile file, long offset, String what) {
    return Qcow2Header.bad(file.name(), "has " + what + " at " + offset);
  }

  public Qcow2Header header() {
    return header;
  }

  public String name() {
    return file.name();
  }

  public long fileBytes() {
    return file.sizeBytes();
  }

  /** Whether nothing of the part of the disk that one L2 table maps is in this file. */
  public boolean isEmpty(int table) {
    return table >= l1.length || l1[table] == 0;
  }

  /** L2 tables that the disk has room for. */
  public int tables() {
    return l1.length;
  }

  /** Finds out what this file has of a cluster; nothing of one beyond its disk. */
  public void lookup(long cluster, ClusterEntry entry) throws IOException {
    entry.clear();
    int index = (int) (cluster >>> Clusters.TABLE_SHIFT);
    if (isEmpty(index)) {
      return;
    }
    ByteBuffer table = table(index);
    int at = (int) (cluster & (Clusters.TABLE_CLUSTERS - 1)) * 2 * Long.BYTES;
    long descriptor = table.getLong(at);
    long bitmap = table.getLong(at + Long.BYTES);
    if ((descriptor & COMPRESSED) != 0) {
      entry.offset = descriptor & ((1L << COMPRESSED_SHIFT) - 1);
      int sectors = (int) ((descriptor & ~COMPRESSED) >>> COMPRESSED_SHIFT & 0x1ff) + 1;
      entry.compressedBytes = sectors * SECTOR_BYTES - (int) (entry.offset & (SECTOR_BYTES - 1));
      entry.data = Clusters.ALL;
      if (entry.offset <= 0 || entry.offset > file.sizeBytes() - entry.compressedBytes) {
        throw Qcow2Header.bad(file.name(), "has cluster " + cluster + " at " + entry.offset);
      }
      return;
    }
    entry.offset = descriptor & OFFSET_BITS;
    entry.data = (int) bitmap;
    entry.zero = (int) (bitmap >>> 32);
    if ((entry.data & entry.zero) != 0) {
      throw Qcow2Header.bad(file.name(), "has cluster " + cluster + " as data and as zeroes");
    }
    if (entry.data != 0 && !isCluster(file, entry.offset)) { // asked so often that no text is made
      throw notCluster(file, entry.offset, "cluster " + cluster);
    }
  }

  private ByteBuffer table(int index) throws IOException {
    @Nullable ByteBuffer known;
    tablesLock.lock();
    try {
      known = tables.get(index);
    } finally {
      tablesLock.unlock();
    }
    if (known == null) {
      known = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
      file.read(l1[index], known);
      known.flip();
      tablesLock.lock();
      try {
        tables.put(index, known);
      } finally {
        tablesLock.unlock();
      }
    }
    return known;
  }

  /**
   * Reads sub-clusters of a cluster to their places in a buffer of all of it.
   *
   * @param wanted which ones; the entry says that they are data
   * @param target direct, from position 0 on; its position stays
   */
  public void read(ClusterEntry entry, int wanted, ByteBuffer target, Inflation inflation)
      throws IOException {
    @Nullable ByteBuffer whole =
        entry.compressedBytes == 0 || wanted == 0
            ? null
            : inflation.unpack(file, header.compression(), entry.offset, entry.compressedBytes);
    for (int at = 0; at < Clusters.SUBS; ) {
      int run = Clusters.run(wanted, at);
      if ((wanted >>> at & 1) != 0) {
        int from = at << Clusters.SUB_SHIFT;
        int length = run << Clusters.SUB_SHIFT;
        if (whole == null) {
          file.read(entry.offset + from, target.slice(from, length));
        } else {
          target.put(from, whole, from, length);
        }
      }
      at += run;
    }
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
