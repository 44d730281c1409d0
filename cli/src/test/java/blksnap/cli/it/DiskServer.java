package blksnap.cli.it;

import blksnap.buffer.BufferPool;
import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.nbd.ExportTable;
import blksnap.nbd.NbdConfig;
import blksnap.nbd.NbdServer;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Serves disks of a test over NBD. */
final class DiskServer implements ExportTable, Closeable {
  private static final long POOL_BYTES = 128 << 20;

  private final Path socket;
  private final Map<String, ? extends BlockDevice> disks;
  private final NbdServer server;

  DiskServer(Path socket, Map<String, ? extends BlockDevice> disks) throws IOException {
    this.socket = socket;
    this.disks = Map.copyOf(disks);
    var pool = new BufferPool(POOL_BYTES, () -> 8);
    this.server = NbdServer.start(NbdConfig.unix(socket), this, pool, new LogRing());
  }

  String uri(String disk) {
    return "nbd+unix:///" + disk + "?socket=" + socket;
  }

  @Override
  public List<Export> list() {
    return disks.keySet().stream().sorted().map(name -> find(name).orElseThrow()).toList();
  }

  @Override
  public Optional<Export> find(String name) {
    return Optional.ofNullable(disks.get(name))
        .map(disk -> new Export(name, "", disk.sizeBytes(), disk.readOnly()));
  }

  @Override
  public Session open(String name, String peer) throws BlkSnapException {
    BlockDevice disk = disks.get(name);
    if (disk == null) {
      throw new BlkSnapException(Errno.ENOENT, "there is no disk " + name);
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
  }
}
