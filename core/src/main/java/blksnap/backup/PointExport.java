package blksnap.backup;

import blksnap.buffer.BufferPool;
import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.nbd.ExportTable;
import blksnap.nbd.NbdConfig;
import blksnap.nbd.NbdServer;
import blksnap.qcow2.Clusters;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Serves a point, read-only, to NBD clients until it is closed. What they read is checked against
 * its hashes; what is damaged reads as EIO.
 */
public final class PointExport implements Closeable {
  /** What payloads of all clients may take. */
  private static final long PAYLOAD_BYTES = 64L << 20;

  private static final int BUFFERS_KEPT = 4;

  private final Disk disk;
  private final BufferPool pool;
  private final NbdServer server;

  private PointExport(Disk disk, BufferPool pool, NbdServer server) {
    this.disk = disk;
    this.pool = pool;
    this.server = server;
  }

  /**
   * Opens a point and listens.
   *
   * @param socket that is made; nothing may be there
   */
  public static PointExport open(DevicePoints points, Manifest point, Path socket, LogRing log)
      throws IOException {
    var opened = new ArrayList<Closeable>();
    try {
      var disk = new Disk(points.open(point));
      opened.add(disk);
      var pool = new BufferPool(PAYLOAD_BYTES, () -> BUFFERS_KEPT);
      opened.add(pool);
      var exports = new OnePoint(point, disk);
      NbdServer server = NbdServer.start(NbdConfig.unix(socket), exports, pool, log);
      return new PointExport(disk, pool, server);
    } catch (IOException | RuntimeException e) {
      Closing.after(e, opened);
      throw e;
    }
  }

  /** What the point is called to clients. */
  public static String exportName(Manifest point) {
    return point.device() + "@" + point.name();
  }

  @Override
  public void close() throws IOException {
    Closing.all(List.of(server, pool, disk));
  }

  /** The one thing that is served; also by the empty name. */
  private static final class OnePoint implements ExportTable {
    private final Export export;
    private final Disk disk;

    OnePoint(Manifest point, Disk disk) {
      this.disk = disk;
      this.export =
          new Export(exportName(point), "backup of " + point.takenAt(), point.sizeBytes(), true);
    }

    @Override
    public List<Export> list() {
      return List.of(export);
    }

    @Override
    public Optional<Export> find(String name) {
      return name.isEmpty() || name.equals(export.name()) ? Optional.of(export) : Optional.empty();
    }

    @Override
    public Session open(String name, String peer) throws BlkSnapException {
      if (find(name).isEmpty()) {
        throw new BlkSnapException(Errno.ENOENT, "there is no export '" + name + "'");
      }
      return new Session() {
        @Override
        public BlockDevice device() {
          return disk;
        }

        @Override
        public void close() {}
      };
    }
  }

  /** A point as a disk. */
  private static final class Disk implements BlockDevice {
    private final PointContent content;

    /** One a thread: they hold a cluster and a decompressor each. */
    private final ThreadLocal<Cursor> cursors = ThreadLocal.withInitial(Cursor::new);

    private final ThreadLocal<ByteBuffer> clusters =
        ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES));

    Disk(PointContent content) {
      this.content = content;
    }

    @Override
    public long sizeBytes() {
      return content.diskBytes();
    }

    @Override
    public boolean readOnly() {
      return true;
    }

    @Override
    public void read(long offset, ByteBuffer target) throws IOException {
      check(offset, target.remaining());
      ByteBuffer cluster = clusters.get();
      for (long at = offset; target.hasRemaining(); ) {
        long number = at >>> Clusters.CLUSTER_SHIFT;
        int from = (int) (at & (Clusters.CLUSTER_BYTES - 1));
        int length = Math.min(target.remaining(), Clusters.CLUSTER_BYTES - from);
        int first = from >>> Clusters.SUB_SHIFT;
        int last = (from + length - 1) >>> Clusters.SUB_SHIFT;
        content.read(number, Clusters.mask(first, last + 1), cluster, cursors.get());
        target.put(cluster.slice(from, length));
        at += length;
      }
    }

    @Override
    public List<Extent> allocation(long offset, long length, int maxExtents) throws IOException {
      check(offset, length);
      List<Extent> extents = new ArrayList<>();
      long end = offset + length;
      long start = offset;
      boolean hole = false;
      for (long at = offset; at < end; ) {
        long next = Math.min(end, next(at));
        boolean empty = isEmpty(at);
        if (at > start && empty != hole) {
          extents.add(new Extent(at - start, hole));
          if (extents.size() == maxExtents) {
            return extents;
          }
          start = at;
        }
        hole = empty;
        at = next;
      }
      extents.add(new Extent(end - start, hole));
      return extents;
    }

    /** Where the cluster, or the GiB that nothing is in, ends. */
    private long next(long at) {
      int gib = (int) (at >>> Clusters.TABLE_BYTES_SHIFT);
      int shift = content.isEmpty(gib) ? Clusters.TABLE_BYTES_SHIFT : Clusters.CLUSTER_SHIFT;
      return ((at >>> shift) + 1) << shift;
    }

    private boolean isEmpty(long at) throws IOException {
      return content.isEmpty((int) (at >>> Clusters.TABLE_BYTES_SHIFT))
          || content.dataOf(at >>> Clusters.CLUSTER_SHIFT, cursors.get()) == 0;
    }

    private void check(long offset, long length) {
      if (offset < 0 || length < 0 || length > sizeBytes() - offset) {
        throw new IndexOutOfBoundsException(offset + "+" + length + " of " + sizeBytes());
      }
    }

    @Override
    public void write(long offset, ByteBuffer source) throws BlkSnapException {
      throw refused();
    }

    @Override
    public void discard(long offset, long length) throws BlkSnapException {
      throw refused();
    }

    @Override
    public void writeZeroes(long offset, long length, boolean noHole) throws BlkSnapException {
      throw refused();
    }

    private static BlkSnapException refused() {
      return new BlkSnapException(Errno.EPERM, "a backup is read-only");
    }

    @Override
    public void flush() {}

    @Override
    public void close() throws IOException {
      content.close();
    }
  }
}
