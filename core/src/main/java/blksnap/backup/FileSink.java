package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.linux.NativeFile;
import blksnap.linux.Sha256;
import blksnap.qcow2.Clusters;
import blksnap.qcow2.Compression;
import blksnap.qcow2.LocalFile;
import blksnap.qcow2.Packer;
import blksnap.qcow2.Qcow2Chain;
import blksnap.qcow2.Qcow2Writer;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Writes the data file and the hashes of a point. Clusters come from many threads, each once.
 * Closing it before {@link #publishData} leaves no data file.
 */
final class FileSink implements Closeable {
  /** A compressed cluster must be smaller than its data by this, or it is not worth its time. */
  private static final int WORTH_BYTES = Clusters.SUB_BYTES;

  private final UUID id = UUID.randomUUID();
  private final Optional<String> parent;
  private final Compression compression;
  private final long diskBytes;
  private final BackupStore.Draft data;
  private final BackupStore.Draft hashes;
  private final HashWriter hashWriter;

  /** Empty: the data file is the disk itself. */
  private final Optional<Qcow2Writer> qcow2;

  private FileSink(
      BackupStore.Draft data,
      BackupStore store,
      String device,
      String point,
      Optional<String> parent,
      Form form,
      long diskBytes)
      throws IOException {
    this.data = data;
    this.hashes = store.draft(device, PointNames.hashes(point, id));
    this.parent = parent;
    this.compression = form.compression;
    this.diskBytes = diskBytes;
    this.hashWriter = new HashWriter(hashes.file(), diskBytes, id);
    this.qcow2 =
        form.format == Manifest.DataFormat.RAW
            ? Optional.empty()
            : Optional.of(
                new Qcow2Writer(
                    data.file(),
                    id,
                    parent.map(name -> name + PointNames.QCOW2),
                    form.compression,
                    diskBytes));
  }

  /** How a data file is written. */
  record Form(Manifest.DataFormat format, Compression compression) {}

  static FileSink begin(
      BackupStore store,
      String device,
      String point,
      Optional<String> parent,
      Form form,
      long diskBytes)
      throws IOException {
    String ending = form.format == Manifest.DataFormat.RAW ? PointNames.RAW : PointNames.QCOW2;
    BackupStore.Draft data = store.draft(device, point + ending);
    try {
      return new FileSink(data, store, device, point, parent, form, diskBytes);
    } catch (IOException | RuntimeException e) {
      Closing.after(e, List.of(data));
      throw e;
    }
  }

  UUID id() {
    return id;
  }

  /** For one thread. */
  Putter putter() throws BlkSnapException {
    return new Putter(compression.packer());
  }

  /** Nothing before this cluster will be put any more. */
  void finishBelow(long cluster) throws IOException {
    if (qcow2.isPresent()) {
      qcow2.get().finishBelow(cluster);
    }
    hashWriter.finishBelow(cluster);
  }

  /** Lets the disk begin with what was put so far, or it would have all to do at the end. */
  void startWriting() throws BlkSnapException {
    long bytes = data.file().size();
    if (bytes > 0) {
      data.file().startWriting(0, bytes);
    }
  }

  /** Completes both files. */
  Manifest.DataFile complete(long storedBytes) throws IOException {
    if (qcow2.isPresent()) {
      qcow2.get().finish();
    } else {
      data.file().truncate(diskBytes);
    }
    HashWriter.Finished finished = hashWriter.finish();
    return new Manifest.DataFile(
        id, parent, data.file().size(), storedBytes, finished.bytes(), finished.sha256());
  }

  /** Gives the hashes their name, which no other file has had. */
  void publishHashes(Transfer transfer) throws IOException {
    hashes.publish(transfer);
  }

  /** Gives the data file its name, in place of one that had it. */
  void publishData(Transfer transfer) throws IOException {
    data.publish(transfer);
  }

  @Override
  public void close() throws IOException {
    Closing.all(List.of(data, hashes));
  }

  /** What one thread puts clusters with. */
  final class Putter implements Closeable {
    private final MessageDigest digest = Sha256.create();
    private final Packer packer;
    private final ByteBuffer packed =
        ByteBuffer.allocateDirect(compression == Compression.NONE ? 0 : Clusters.CLUSTER_BYTES);

    private Putter(Packer packer) {
      this.packer = packer;
    }

    /**
     * Puts clusters.
     *
     * @param batch {@code data} is what is stored, {@code zero} what reads as zeroes
     * @param content the clusters of the batch, one behind the other, direct; what is not data may
     *     be overwritten
     * @return bytes that were stored
     */
    long put(ClusterBatch batch, ByteBuffer content) throws IOException {
      long stored = 0;
      int runStart = 0;
      int run = 0;
      for (int i = 0; i < batch.count; i++) {
        ByteBuffer cluster = content.slice(i << Clusters.CLUSTER_SHIFT, Clusters.CLUSTER_BYTES);
        int saved = compression == Compression.NONE ? 0 : compress(batch, i, cluster);
        if (saved > 0) {
          stored += saved;
          continue;
        }
        int data = batch.data[i];
        if ((data | batch.zero[i]) != 0) {
          hash(batch.clusters[i], data, batch.zero[i], cluster);
        }
        stored += (long) Integer.bitCount(data) << Clusters.SUB_SHIFT;
        boolean whole = data == Clusters.ALL && qcow2.isPresent();
        boolean goesOn = run > 0 && batch.clusters[i] == batch.clusters[runStart] + run;
        if (!whole || !goesOn) {
          putRun(batch, runStart, run, content);
          run = 0;
        }
        if (whole) {
          runStart = run == 0 ? i : runStart;
          run++;
        } else {
          putPart(batch, i, cluster);
        }
      }
      putRun(batch, runStart, run, content);
      return stored;
    }

    private void hash(long cluster, int data, int zero, ByteBuffer content) {
      hashWriter.put(cluster, data, zero, HashFile.hash(digest, content, data));
    }

    private void putRun(ClusterBatch batch, int first, int count, ByteBuffer content)
        throws IOException {
      if (count > 0) {
        qcow2
            .orElseThrow()
            .putRun(
                batch.clusters[first],
                count,
                content.slice(first << Clusters.CLUSTER_SHIFT, count << Clusters.CLUSTER_SHIFT));
      }
    }

    private void putPart(ClusterBatch batch, int index, ByteBuffer cluster) throws IOException {
      int data = batch.data[index];
      int zero = batch.zero[index];
      if (qcow2.isPresent()) {
        if ((data | zero) != 0) {
          qcow2.get().put(batch.clusters[index], data, zero, cluster);
        }
        return;
      }
      long start = batch.clusters[index] << Clusters.CLUSTER_SHIFT;
      int inside = (int) Math.min(Clusters.CLUSTER_BYTES, diskBytes - start);
      NativeFile file = FileSink.this.data.file();
      for (int sub = 0; sub < Clusters.SUBS; ) {
        int run = Clusters.run(data, sub);
        if ((data >>> sub & 1) != 0) {
          int from = sub << Clusters.SUB_SHIFT;
          int to = Math.min(inside, (sub + run) << Clusters.SUB_SHIFT);
          LocalFile.writeFully(file, start + from, cluster.slice(from, to - from));
        }
        sub += run;
      }
    }

    /**
     * Stores a cluster compressed, if all of it is known and that saves something; bytes stored, 0
     * when it was not.
     */
    private int compress(ClusterBatch batch, int index, ByteBuffer cluster) throws IOException {
      int data = batch.data[index];
      boolean complete = parent.isEmpty() || (data | batch.zero[index]) == Clusters.ALL;
      if (qcow2.isEmpty() || data == 0 || !complete) {
        return 0;
      }
      int most = (Integer.bitCount(data) << Clusters.SUB_SHIFT) - WORTH_BYTES;
      if (most <= 0) {
        return 0;
      }
      Qcow2Chain.zero(cluster, ~data);
      if (!packer.pack(cluster, packed, most)) {
        return 0;
      }
      int length = packed.remaining();
      hash(batch.clusters[index], Clusters.ALL, 0, cluster);
      qcow2.get().putCompressed(batch.clusters[index], packed);
      return length;
    }

    @Override
    public void close() {
      packer.close();
    }
  }
}
