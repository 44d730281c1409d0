package blksnap.backup;

import blksnap.buffer.BufferPool;
import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.nbd.ExportTable;
import blksnap.nbd.NbdConfig;
import blksnap.nbd.NbdServer;
import blksnap.nbdclient.NbdAddress;
import java.io.Closeable;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A disk of a test, served over NBD under the name "disk". */
final class ServedDisk implements ExportTable, Closeable {
  private final BlockDevice disk;
  private final Path socket;
  private final BufferPool pool = new BufferPool(64L << 20, () -> 4);
  private final NbdServer server;

  /**
   * @param socket that is made, in a directory of its own
   */
  ServedDisk(BlockDevice disk, Path socket) throws IOException {
    this.disk = disk;
    this.socket = socket;
    this.server = NbdServer.start(NbdConfig.unix(socket), this, pool, new LogRing());
  }

  NbdAddress address() {
    return new NbdAddress(UnixDomainSocketAddress.of(socket), "disk");
  }

  @Override
  public List<Export> list() {
    return List.of(new Export("disk", "", disk.sizeBytes(), disk.readOnly()));
  }

  @Override
  public Optional<Export> find(String name) {
    return name.equals("disk") ? Optional.of(list().getFirst()) : Optional.empty();
  }

  @Override
  public Session open(String name, String peer) throws BlkSnapException {
    if (!name.equals("disk")) {
      throw new BlkSnapException(Errno.ENOENT, "no export " + name);
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

  @Override
  public void close() throws IOException {
    server.close();
    pool.close();
  }
}
