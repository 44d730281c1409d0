package blksnap.qcow2;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * Clusters of the file that several clusters of the disk share: a sub-cluster has its place within
 * the cluster, so those that have other sub-clusters fit into the same one, which is then referred
 * to more than once. Random changes of 4 KiB fill a file so, instead of one part in 32 of it. The
 * writer's lock is held for every call.
 */
final class SharedClusters {
  /** More would find more room, and cost more time to look through. */
  private static final int MAX_OPEN = 64;

  private final List<Shared> open = new ArrayList<>();

  /** One of them. */
  static final class Shared {
    final long host;

    /** The cluster of the disk that was put here first. */
    final long firstGuest;

    private int used;
    private int references;

    Shared(long host, long firstGuest) {
      this.host = host;
      this.firstGuest = firstGuest;
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

  /** Opens one with these in it; the one that has to be closed for it, or null. */
  @org.jspecify.annotations.Nullable
  Shared open(Shared fresh, int data) {
    use(fresh, data);
    open.add(fresh);
    return open.size() > MAX_OPEN ? open.remove(0) : null;
  }

  /** Closes all. */
  List<Shared> drain() {
    List<Shared> all = List.copyOf(open);
    open.clear();
    return all;
  }
}
