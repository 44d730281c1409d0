package blksnap.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.linux.NativeFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Qcow2WriterTest {
  /** As many as are open at a time, twice, and some. */
  private static final int PLACES = 150;

  private static final long DISK_BYTES = 1L << 30;

  @TempDir private Path directory;

  private static void fill(ByteBuffer cluster, int value) {
    for (int at = 0; at < Clusters.CLUSTER_BYTES; at += Integer.BYTES) {
      cluster.putInt(at, value);
    }
  }

  /** The same sub-cluster needs a place of its own each time, another one fits beside it. */
  @Test
  void partsThatShareClustersOfTheFileAreReadAsTheyWerePut() throws IOException {
    Path path = directory.resolve("image.qcow2");
    ByteBuffer cluster = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
    long bytes;
    try (NativeFile file =
        NativeFile.open(path, Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE_NEW))) {
      var writer =
          new Qcow2Writer(file, UUID.randomUUID(), Optional.empty(), Compression.NONE, DISK_BYTES);
      for (int put = 0; put < 2 * PLACES; put++) {
        fill(cluster, put + 1);
        writer.put(put, masks(put), 0, cluster);
      }
      writer.finish();
      bytes = file.size();
    }
    assertThat(bytes).isLessThan((PLACES + 40L) << Clusters.CLUSTER_SHIFT);

    ByteBuffer read = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
    var entry = new ClusterEntry();
    try (Qcow2File file = Qcow2File.open(LocalFile.open(path));
        var inflation = new Inflation()) {
      for (int put = 0; put < 2 * PLACES; put++) {
        file.lookup(put, entry);
        assertThat(entry.data()).isEqualTo(masks(put));
        file.read(entry, entry.data(), read, inflation);
        fill(cluster, put + 1);
        assertThat(differing(read, cluster, entry.data())).as("cluster " + put).isZero();
      }
    }
  }

  /** By turns the first sub-cluster with the third one, and the second one with the last. */
  private static int masks(int put) {
    return put % 2 == 0 ? 0b101 : 1 << 31 | 0b10;
  }

  private static int differing(ByteBuffer one, ByteBuffer other, int which) {
    int differing = 0;
    for (int sub = 0; sub < Clusters.SUBS; sub++) {
      int from = sub << Clusters.SUB_SHIFT;
      boolean same =
          one.slice(from, Clusters.SUB_BYTES).equals(other.slice(from, Clusters.SUB_BYTES));
      differing |= (which >>> sub & 1) != 0 && !same ? 1 << sub : 0;
    }
    return differing;
  }
}
