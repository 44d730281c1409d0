package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.qcow2.Clusters;
import blksnap.qcow2.Qcow2Chain;
import blksnap.qcow2.Qcow2File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** The disk of a point whose files are qcow2 images. */
final class ChainContent implements PointContent {
  private final List<Layer> layers;
  private final Qcow2Chain chain;

  /** One image and the hashes of what it holds. */
  record Layer(Qcow2File file, HashIndex hashes) {
    /**
     * Reads all data that this image has of the cluster of the cursor's entry, checks it, and hands
     * on what is wanted.
     */
    void read(long cluster, int wanted, ByteBuffer target, Cursor cursor) throws IOException {
      int data = cursor.entry.data();
      // What is not wanted of a target may be another layer's already.
      boolean apart = (data & ~wanted) != 0;
      ByteBuffer whole = apart ? cursor.cluster : target;
      file.read(cursor.entry, data, whole, cursor.inflation);
      HashIndex.Known known = known(cluster, cursor);
      if (!known.matches(HashFile.hash(cursor.digest, whole, data))) {
        throw new BlkSnapException(
            Errno.EBADMSG,
            file.name()
                + " is damaged: what it holds of the disk at "
                + (cluster << Clusters.CLUSTER_SHIFT)
                + " is not what was stored");
      }
      if (apart) {
        Clusters.copy(whole, target, wanted);
      }
    }

    /** What the hashes tell of the cluster of the entry; both must say the same. */
    HashIndex.Known known(long cluster, Cursor cursor) throws IOException {
      Optional<HashIndex.Known> known = hashes.find(cluster);
      if (known.isEmpty()
          || known.get().data() != cursor.entry.data()
          || known.get().zero() != cursor.entry.zero()) {
        throw new BlkSnapException(
            Errno.EBADMSG,
            file.name()
                + " is damaged: its tables do not say what was stored of the disk at "
                + (cluster << Clusters.CLUSTER_SHIFT));
      }
      return known.get();
    }
  }

  /**
   * @param layers the uppermost first; closed by {@link #close}
   */
  ChainContent(List<Layer> layers) {
    this.layers = List.copyOf(layers);
    this.chain = new Qcow2Chain(layers.stream().map(Layer::file).toList());
  }

  List<Layer> layers() {
    return layers;
  }

  @Override
  public long diskBytes() {
    return chain.diskBytes();
  }

  @Override
  public boolean isEmpty(int gib) {
    for (Layer layer : layers) {
      if (!layer.file.isEmpty(gib) || !layer.hashes.isEmpty(gib)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public int dataOf(long cluster, Cursor cursor) throws IOException {
    return chain.dataOf(cluster, cursor.entry);
  }

  @Override
  public void readUnchecked(long cluster, int wanted, ByteBuffer target, Cursor cursor)
      throws IOException {
    chain.read(cluster, wanted, target, cursor.entry, cursor.inflation);
  }

  @Override
  public void read(long cluster, int wanted, ByteBuffer target, Cursor cursor) throws IOException {
    int open = wanted;
    for (Layer layer : layers) {
      int inside = Clusters.within(cluster, layer.file.header().diskBytes());
      Qcow2Chain.zero(target, open & ~inside);
      open &= inside;
      if (open == 0) {
        return;
      }
      layer.file.lookup(cluster, cursor.entry);
      int data = open & cursor.entry.data();
      int zero = open & cursor.entry.zero();
      if (data != 0) {
        layer.read(cluster, data, target, cursor);
      } else if (zero != 0 || !layer.hashes.isEmpty((int) (cluster >>> Clusters.TABLE_SHIFT))) {
        requireSame(layer, cluster, cursor);
      }
      Qcow2Chain.zero(target, zero);
      open &= ~(data | zero);
    }
    Qcow2Chain.zero(target, open);
  }

  /** An entry that was lost or made up would show another layer's content. */
  private static void requireSame(Layer layer, long cluster, Cursor cursor) throws IOException {
    boolean none = (cursor.entry.data() | cursor.entry.zero()) == 0;
    if (!none || layer.hashes.find(cluster).isPresent()) {
      layer.known(cluster, cursor);
    }
  }

  @Override
  public void close() throws IOException {
    Closing.all(
        layers.stream()
            .flatMap(
                layer -> java.util.stream.Stream.<java.io.Closeable>of(layer.file, layer.hashes))
            .toList());
  }
}
