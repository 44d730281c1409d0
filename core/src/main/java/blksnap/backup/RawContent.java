package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.qcow2.ByteFile;
import blksnap.qcow2.Clusters;
import blksnap.qcow2.Qcow2Chain;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** The disk of a point whose file is the disk itself. */
final class RawContent implements PointContent {
  private final ByteFile file;
  private final HashIndex hashes;

  RawContent(ByteFile file, HashIndex hashes) {
    this.file = file;
    this.hashes = hashes;
  }

  HashIndex hashes() {
    return hashes;
  }

  @Override
  public long diskBytes() {
    return file.sizeBytes();
  }

  @Override
  public boolean isEmpty(int gib) {
    return hashes.isEmpty(gib);
  }

  @Override
  public int dataOf(long cluster, Cursor cursor) throws IOException {
    return hashes.find(cluster).map(HashIndex.Known::data).orElse(0);
  }

  @Override
  public void read(long cluster, int wanted, ByteBuffer target, Cursor cursor) throws IOException {
    Optional<HashIndex.Known> known = hashes.find(cluster);
    Qcow2Chain.zero(target, wanted & ~known.map(HashIndex.Known::data).orElse(0));
    if (known.isEmpty()) {
      return;
    }
    readAll(cluster, cursor.cluster);
    int data = known.get().data();
    if (!known.get().matches(HashFile.hash(cursor.digest, cursor.cluster, data))) {
      throw damaged(cluster);
    }
    Clusters.copy(cursor.cluster, target, wanted & data);
  }

  @Override
  public void readUnchecked(long cluster, int wanted, ByteBuffer target, Cursor cursor)
      throws IOException {
    readAll(cluster, cursor.cluster);
    Clusters.copy(cursor.cluster, target, wanted);
  }

  /** Reads a cluster as it is; what is beyond the end of the disk is zeroes. */
  private void readAll(long cluster, ByteBuffer target) throws IOException {
    long offset = cluster << Clusters.CLUSTER_SHIFT;
    int inside = (int) Math.min(Clusters.CLUSTER_BYTES, file.sizeBytes() - offset);
    Qcow2Chain.zero(target, Clusters.mask(inside >>> Clusters.SUB_SHIFT, Clusters.SUBS));
    file.read(offset, target.slice(0, inside));
  }

  /** Checks all of a cluster, also what should be zeroes. */
  void verify(long cluster, Cursor cursor) throws IOException {
    Optional<HashIndex.Known> known = hashes.find(cluster);
    int data = known.map(HashIndex.Known::data).orElse(0);
    readAll(cluster, cursor.cluster);
    if (Qcow2Chain.zeroes(cursor.cluster, ~data) != ~data) {
      throw damaged(cluster);
    }
    if (known.isPresent()
        && !known.get().matches(HashFile.hash(cursor.digest, cursor.cluster, data))) {
      throw damaged(cluster);
    }
  }

  private BlkSnapException damaged(long cluster) {
    return new BlkSnapException(
        Errno.EBADMSG,
        file.name()
            + " is damaged: what it holds of the disk at "
            + (cluster << Clusters.CLUSTER_SHIFT)
            + " is not what was stored");
  }

  @Override
  public void close() throws IOException {
    Closing.all(List.of(file, hashes));
  }
}
