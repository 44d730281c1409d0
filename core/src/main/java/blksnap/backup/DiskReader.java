package blksnap.backup;

import blksnap.nbdclient.NbdClient;
import blksnap.qcow2.Clusters;
import blksnap.qcow2.Qcow2Chain;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Reads the data of batches from an export, several requests at a time. One thread. */
final class DiskReader {
  private final NbdClient export;
  private final ByteBuffer content = ByteBuffer.allocateDirect(ClusterBatch.BYTES);

  DiskReader(NbdClient export) {
    this.export = export;
  }

  /** The cluster with this index in the batch that was read last; of its data only. */
  ByteBuffer cluster(int index) {
    return content.slice(index << Clusters.CLUSTER_SHIFT, Clusters.CLUSTER_BYTES);
  }

  /** Neighbouring clusters of the batch. */
  ByteBuffer clusters(int first, int count) {
    return content.slice(first << Clusters.CLUSTER_SHIFT, count << Clusters.CLUSTER_SHIFT);
  }

  /** Reads the data of a batch; bytes read. */
  long read(ClusterBatch batch) throws IOException {
    List<NbdClient.Read> reads = new ArrayList<>();
    long bytes = 0;
    long openOffset = -1;
    int openAt = 0;
    int openEnd = 0;
    for (int i = 0; i < batch.count; i++) {
      int mask = batch.data[i];
      for (int sub = 0; sub < Clusters.SUBS; ) {
        int run = Clusters.run(mask, sub);
        if ((mask >>> sub & 1) != 0) {
          int place = (i << Clusters.CLUSTER_SHIFT) + (sub << Clusters.SUB_SHIFT);
          long offset =
              (batch.clusters[i] << Clusters.CLUSTER_SHIFT) + ((long) sub << Clusters.SUB_SHIFT);
          boolean goesOn =
              openOffset >= 0 && place == openEnd && offset - openOffset == place - openAt;
          if (!goesOn) {
            bytes += add(reads, openOffset, openAt, openEnd);
            openOffset = offset;
            openAt = place;
          }
          openEnd = place + (run << Clusters.SUB_SHIFT);
        }
        sub += run;
      }
    }
    bytes += add(reads, openOffset, openAt, openEnd);
    export.readAll(reads);
    return bytes;
  }

  /** What is beyond the end of the disk is zeroes. */
  private long add(List<NbdClient.Read> reads, long offset, int from, int to) {
    if (offset < 0) {
      return 0;
    }
    int length = (int) Math.min(to - from, export.sizeBytes() - offset);
    if (length < to - from) {
      int last = (to - Clusters.SUB_BYTES) >>> Clusters.SUB_SHIFT;
      int cluster = last / Clusters.SUBS;
      Qcow2Chain.zero(cluster(cluster), 1 << (last % Clusters.SUBS));
    }
    reads.add(new NbdClient.Read(offset, content.slice(from, length)));
    return length;
  }
}
