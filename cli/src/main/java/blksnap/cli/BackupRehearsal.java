package blksnap.cli;

import blksnap.cli.command.Directories;
import blksnap.cli.daemon.TrainingEngine;
import blksnap.nbdclient.NbdAddress;
import blksnap.nbdclient.NbdClient;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/**
 * Backs a small disk up and restores it, for the start-up archive: with an engine of its own, to a
 * directory that is removed by the caller.
 */
final class BackupRehearsal {
  private static final long DISK_BYTES = 1L << 30;
  private static final int DATA_BYTES = 1 << 20;
  private static final int BLOCK_BYTES = 4096;
  private static final int CHANGES = 32;
  private static final String NAME = "vm1";

  private BackupRehearsal() {}

  /**
   * @param directory for the disk and its backups
   * @param engine nobody else's
   * @param command runs a line
   */
  static void run(Path directory, Directories engine, Consumer<List<String>> command)
      throws IOException {
    var random = new Random(1);
    Path disk = directory.resolve("disk.img");
    try (var file = new RandomAccessFile(disk.toFile(), "rw")) {
      byte[] data = new byte[DATA_BYTES];
      random.nextBytes(data);
      file.write(data);
      file.setLength(DISK_BYTES);
    }
    String backups = directory.resolve("backups").toString();
    List<String> backup =
        List.of("backup", NAME, "--to", backups, "--storage", directory.toString());
    try (var _ = TrainingEngine.load(engine)) {
      command.accept(List.of("attach", disk.toString(), "--name", NAME));
      command.accept(backup);
      change(engine.run().resolve("nbd.sock"), random);
      command.accept(backup);
      command.accept(List.of("backups", backups));
      command.accept(List.of("verify", backups));
      String restored = directory.resolve("restored").toString();
      command.accept(List.of("restore", backups + "/" + NAME, "--to", restored));
      command.accept(List.of("prune", backups, "--keep-last", "1"));
    }
  }

  private static void change(Path socket, Random random) throws IOException {
    ByteBuffer block = ByteBuffer.allocateDirect(BLOCK_BYTES);
    try (NbdClient client =
        NbdClient.connect(NbdAddress.parse("nbd+unix:///" + NAME + "?socket=" + socket))) {
      for (int change = 0; change < CHANGES; change++) {
        block.clear().putInt(0, change + 1);
        client.write(random.nextLong(DISK_BYTES / BLOCK_BYTES) * BLOCK_BYTES, block);
      }
    }
  }
}
