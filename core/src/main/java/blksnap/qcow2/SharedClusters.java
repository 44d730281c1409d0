package blksnap.qcow2;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;

/**
 * Clusters of the file that several clusters of the disk share: a sub-cluster has its place within
 * the cluster, so those that have other sub-clusters fit into the same one, which is then referred
 * to more than once. Random changes of 4 KiB fill a file so, instead of one part in 32 of it. What
 * is put into one that is open stays in memory, at most 8 MiB of all, and is written at once when
 * it is closed. The writer's lock is held for every call.
 */
final class SharedClusters {
  /** More would find more room, and cost more time to look through. */
  private static final int MAX_OPEN = 64;

  private final List<Shared> open = new ArrayList<>();

  /** Memory of those that were closed and written, for those to come. */
  private final Deque<ByteBuffer> spare = new ArrayDeque<>();

  /** One of them. */
  static final class Shared {
    final long host;

    /** The cluster of the disk that was put here first. */
    final long firstGuest;

    private final ByteBuffer content;
    private int used;
    private int references;

    private Shared(long host, long firstGuest, ByteBuffer content) {
      this.host = host;
      this.firstGuest = firstGuest;
      this.content = content;
    }

    /** Sub-clusters that hold something. */
    int used() {
      return used;
    }

    /** The cluster; of what is not used nothing is known. */
    ByteBuffer content() {
      return content;
    }

    /** Takes over sub-clusters of a cluster that this is the place for. */
    void copy(ByteBuffer cluster, int data) {
      Clusters.copy(cluster, content, data);
    }

    int references() {
      return references;
    }
  }

  /** A place for these sub-clusters; null when there is none among those that are open. */
  @org.jspecify.annotations.Nullable
  Shared place(int data) {
    for (Iterator<Shared> all = open.iterator(); all.hasNext(); ) {
      Shared shared = all.next();
      if ((shared.used & data) == 0) {
        use(shared, data);
        return shared;
      }
    }
    return null;
  }

  private static void use(Shared shared, int data) {
    shared.used |= data;
    shared.references++;
  }

  /** Opens one with these in it. */
  Shared open(long host, long firstGuest, int data) {
    @org.jspecify.annotations.Nullable ByteBuffer memory = spare.poll();
    var fresh =
        new Shared(
            host,
            firstGuest,
            memory == null ? ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES) : memory);
    use(fresh, data);
    open.add(fresh);
    return fresh;
  }

  /** The oldest one, no longer open, if there are too many; else null. */
  @org.jspecify.annotations.Nullable
  Shared surplus() {
    return open.size() > MAX_OPEN ? open.remove(0) : null;
  }

  /** One that was closed is written: its memory may be used again. */
  void written(Shared closed) {
    spare.push(closed.content);
  }

  /** Closes all. */
  List<Shared> drain() {
    List<Shared> all = List.copyOf(open);
    open.clear();
    return all;
  }
}
