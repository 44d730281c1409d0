package blksnap.backup;

import blksnap.qcow2.ByteFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A store of objects, as far as {@link ObjectBackups} need one: an object appears whole or not at
 * all, is durable once it has, and is never changed but replaced. Its implementation asks again
 * where the store only has no time. Names of objects have slashes in them. Safe from many threads.
 */
public interface ObjectStore extends Closeable {
  /** What it is called in messages; the name of an object with a slash before it names that. */
  String name();

  /** What stands before the first slash of any object's name, ascending. */
  List<String> places() throws IOException;

  /** Names of all objects that begin so, ascending. */
  List<String> list(String prefix) throws IOException;

  /**
   * An object as it is now.
   *
   * @param tag differs when it is replaced
   * @param age since it was put, by the clock of the store
   */
  record Found(long sizeBytes, String tag, Duration age) {}

  /** Looks an object up; empty when there is none. */
  Optional<Found> find(String object) throws IOException;

  /**
   * Fills {@code target} from a part of an object.
   *
   * @throws blksnap.error.BlkSnapException {@code EIO} when it is not the one that was found any
   *     more
   */
  void read(String object, Found found, long offset, ByteBuffer target) throws IOException;

  /** Makes or replaces a small object. */
  void put(String object, byte[] content) throws IOException;

  /** Makes a small object; whether there was none. */
  boolean putIfAbsent(String object, byte[] content) throws IOException;

  /** Makes or replaces an object of any size, in parts. */
  void upload(String object, ByteFile content) throws IOException;

  /** Removes an object; one that is not there is no failure. */
  void delete(String object) throws IOException;

  /** Gives up uploads of such objects that were begun and will not be gone on with. */
  void abandonUploads(String prefix) throws IOException;
}
