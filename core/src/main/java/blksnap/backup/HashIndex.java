package blksnap.backup;

import blksnap.linux.Sha256;
import blksnap.qcow2.ByteFile;
import blksnap.qcow2.Clusters;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/** Reads a {@link HashFile}; a few groups are kept. Safe from many threads. */
final class HashIndex implements Closeable {
  private static final int MAX_GROUPS = 3;

  /** 16 TiB have 16384 groups; a longer directory is none. */
  private static final int MAX_DIRECTORY_GROUPS = 1 << 14;

  private final ByteFile file;
  private final Map<Integer, Place> places;

  /** Guards {@link #groups}; not held while one is read. */
  private final Lock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final Map<Integer, Group> groups =
      new LinkedHashMap<>(MAX_GROUPS * 2, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, Group> eldest) {
          return size() > MAX_GROUPS;
        }
      };

  @SuppressWarnings("ArrayRecordComponent") // compared with Arrays
  private record Place(long offset, int records, byte[] sha256) {}

  /** The records of one group. */
  private record Group(ByteBuffer records) {
    int find(int inGroup) {
      int low = 0;
      int high = records.limit() / HashFile.RECORD_BYTES;
      while (low < high) {
        int middle = (low + high) >>> 1;
        if (records.getInt(middle * HashFile.RECORD_BYTES) < inGroup) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      int at = low * HashFile.RECORD_BYTES;
      return at < records.limit() && records.getInt(at) == inGroup ? at : -1;
    }
  }

  /**
   * What is known of a cluster.
   *
   * @param data sub-clusters that are stored
   * @param zero sub-clusters that are said to be zeroes
   */
  @SuppressWarnings("ArrayRecordComponent") // compared with Arrays
  record Known(long cluster, int data, int zero, byte[] sha256) {
    boolean matches(byte[] hash) {
      return Arrays.equals(sha256, hash);
    }
  }

  private HashIndex(ByteFile file, Map<Integer, Place> places) {
    this.file = file;
    this.places = places;
  }

  /** Opens the hashes that belong to a data file and judges them by what the manifest says. */
  static HashIndex open(ByteFile file, Manifest.DataFile data, long diskBytes) throws IOException {
    long bytes = file.sizeBytes();
    if (bytes != data.hashesBytes() || bytes < HashFile.HEADER_BYTES + HashFile.END_BYTES) {
      throw HashFile.damaged(file, "has " + bytes + " bytes, not " + data.hashesBytes());
    }
    ByteBuffer header = HashFile.buffer(HashFile.HEADER_BYTES);
    file.read(0, header);
    ByteBuffer end = HashFile.buffer(HashFile.END_BYTES);
    file.read(bytes - HashFile.END_BYTES, end);
    int count = end.getInt(0);
    long directoryAt = bytes - HashFile.END_BYTES - (long) count * HashFile.DIRECTORY_BYTES;
    boolean sound = header.getInt(0) == HashFile.MAGIC && end.getInt(4) == HashFile.MAGIC;
    if (!sound
        || header.getInt(4) != HashFile.VERSION
        || count < 0
        || count > MAX_DIRECTORY_GROUPS
        || directoryAt < HashFile.HEADER_BYTES) {
      throw HashFile.damaged(file, "is no file of hashes");
    }
    ByteBuffer directory = HashFile.buffer(count * HashFile.DIRECTORY_BYTES);
    file.read(directoryAt, directory);
    MessageDigest digest = Sha256.create();
    digest.update(header.flip());
    digest.update(directory.flip());
    digest.update(end.flip());
    if (!HexFormat.of().formatHex(digest.digest()).equals(data.hashesSha256())) {
      throw HashFile.damaged(file, "is not what its manifest tells of");
    }
    if (header.getLong(8) != diskBytes
        || !new UUID(header.getLong(16), header.getLong(24)).equals(data.id())) {
      throw HashFile.damaged(file, "belongs to another data file");
    }
    return new HashIndex(file, places(directory.rewind(), count));
  }

  private static Map<Integer, Place> places(ByteBuffer directory, int count) {
    Map<Integer, Place> places = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      int group = directory.getInt();
      int records = directory.getInt();
      long offset = directory.getLong();
      byte[] sha256 = new byte[HashFile.HASH_BYTES];
      directory.get(sha256);
      places.put(group, new Place(offset, records, sha256));
    }
    return places;
  }

  /** Groups that have records, ascending. */
  List<Integer> groups() {
    return List.copyOf(places.keySet());
  }

  boolean isEmpty(int group) {
    return !places.containsKey(group);
  }

  /** What is known of a cluster; empty when the data file has nothing of it. */
  Optional<Known> find(long cluster) throws IOException {
    int number = (int) (cluster >>> Clusters.TABLE_SHIFT);
    if (isEmpty(number)) {
      return Optional.empty();
    }
    ByteBuffer records = group(number).records;
    int at = group(number).find((int) (cluster & (Clusters.TABLE_CLUSTERS - 1)));
    return at < 0 ? Optional.empty() : Optional.of(known(records, at, number));
  }

  /** All of a group, ascending. */
  List<Known> all(int number) throws IOException {
    ByteBuffer records = group(number).records;
    var all = new ArrayList<Known>();
    for (int at = 0; at < records.limit(); at += HashFile.RECORD_BYTES) {
      all.add(known(records, at, number));
    }
    return all;
  }

  private static Known known(ByteBuffer records, int at, int number) {
    byte[] sha256 = new byte[HashFile.HASH_BYTES];
    records.get(at + 12, sha256);
    long cluster = ((long) number << Clusters.TABLE_SHIFT) + records.getInt(at);
    return new Known(cluster, records.getInt(at + 4), records.getInt(at + 8), sha256);
  }

  private Group group(int number) throws IOException {
    lock.lock();
    try {
      Group known = groups.get(number);
      if (known != null) {
        return known;
      }
    } finally {
      lock.unlock();
    }
    Place place = places.get(number);
    if (place == null) {
      throw new IllegalArgumentException("no group " + number);
    }
    if (place.records < 0 || place.records > Clusters.TABLE_CLUSTERS) {
      throw HashFile.damaged(file, "has " + place.records + " records of one group");
    }
    ByteBuffer records = HashFile.buffer(place.records * HashFile.RECORD_BYTES);
    file.read(place.offset, records);
    MessageDigest digest = Sha256.create();
    digest.update(records.flip());
    if (!Arrays.equals(digest.digest(), place.sha256)) {
      throw HashFile.damaged(file, "has damaged hashes of GiB " + number + " of the disk");
    }
    var group = new Group(records.rewind());
    lock.lock();
    try {
      groups.put(number, group);
    } finally {
      lock.unlock();
    }
    return group;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
