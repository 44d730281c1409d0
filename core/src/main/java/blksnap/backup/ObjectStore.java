package blksnap.backup;

import blksnap.qcow2.ByteFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A store of objects, as far as {@link ObjectBackups} need one: an object appears whole or not at
 * all, is durable once it has, and is never changed but replaced. Its implementation asks again
 * where the store only has no time. Names of objects have slashes in them. Safe from many threads.
 */
public interface ObjectStore extends Closeable {
  /** What it is called in messages; the name of an object with a slash before it names that. */
  String name();

  /** Tells it from every other store, also from one that is called the same. */
  String place();

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

  /**
   * A part of a file.
   *
   * @param md5 of it, hexadecimal: the store refuses what arrives with another one
   */
  record Piece(ByteFile content, long offset, long length, String md5) {}

  /** Makes or replaces an object of at most {@link #partBytes}. */
  void put(String object, Piece content, Transfer transfer) throws IOException;

  /** Bytes of each part but the last of an object of this size; one of a single part is put. */
  long partBytes(long sizeBytes);

  /** Begins an object of several parts, which is not there before it is completed; an id for it. */
  String beginUpload(String object) throws IOException;

  /**
   * A part that was sent.
   *
   * @param tag of it; with most stores its MD5
   */
  record Part(long bytes, String tag) {}

  /** Parts that are there by their numbers; empty when the upload is not known any more. */
  Optional<Map<Integer, Part>> parts(String object, String upload) throws IOException;

  /**
   * Sends a part.
   *
   * @param number from 1
   * @return its tag
   */
  String putPart(String object, String upload, int number, Piece content, Transfer transfer)
      throws IOException;

  /**
   * Makes the object, or replaces it.
   *
   * @param tags of all parts, in order
   * @throws blksnap.error.BlkSnapException {@code ENOENT} when the upload is not known
   */
  void completeUpload(String object, String upload, List<String> tags) throws IOException;

  /** Gives an upload up, if the store can be asked to. */
  void abandonUpload(String object, String upload);

  /** Removes an object; one that is not there is no failure. */
  void delete(String object) throws IOException;

  /** Gives up uploads of objects that begin so, but for some. */
  void abandonUploads(String prefix, Set<String> but) throws IOException;
}
