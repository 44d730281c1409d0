package blksnap.backup;

import blksnap.linux.NativeFile;
import blksnap.qcow2.ByteFile;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Where backups are: for each device a set of named files. A file appears whole or not at all, and
 * is durable once it has. Safe from many threads.
 */
public interface BackupStore extends Closeable {
  /** What it is called in messages; a device and a name with slashes behind it name a file. */
  String name();

  /** Devices that there are backups of, or may have been, ascending. */
  List<String> devices() throws IOException;

  /** All files of a device, ascending; none when there is no such device. */
  List<String> files(String device) throws IOException;

  /**
   * Reads a small file whole.
   *
   * @throws blksnap.error.BlkSnapException {@code ENOENT} when there is none, {@code EFBIG} when it
   *     has more than {@code mostBytes}
   */
  byte[] read(String device, String file, int mostBytes) throws IOException;

  /** Makes or replaces a small file. */
  void write(String device, String file, byte[] content) throws IOException;

  /**
   * Opens a file for reading anywhere.
   *
   * @throws blksnap.error.BlkSnapException {@code ENOENT} when there is none
   */
  ByteFile open(String device, String file) throws IOException;

  /** Begins a file. */
  Draft draft(String device, String file) throws IOException;

  /** Removes a file; one that is not there is no failure. */
  void delete(String device, String file) throws IOException;

  /**
   * Keeps others from changing what there is of a device, until it is closed. Makes the device's
   * place when it is not there.
   *
   * @throws blksnap.error.BlkSnapException {@code EBUSY} when somebody else does
   */
  Closeable lock(String device) throws IOException;

  /** Removes what a draft has left that was never published; the device is locked. */
  void removeDrafts(String device) throws IOException;

  /**
   * Lets the drafts of a point's files, which are complete, outlive this process, where it may last
   * long to give them their names; closing them leaves them then. The device is locked.
   *
   * @param below id of the point that it leans on
   * @return empty where it does not last long
   */
  Optional<Unsent> keep(Manifest point, Optional<UUID> below, Transfer transfer) throws IOException;

  /** Points that were kept so and not forgotten; the device is locked. */
  List<Unsent> unsent(String device) throws IOException;

  /** A file that is being written. Closing it without {@link #publish} leaves nothing. */
  interface Draft extends Closeable {
    /** For reading and writing. */
    NativeFile file();

    /** Makes it durable and gives it its name, in place of a file that had it. */
    void publish(Transfer transfer) throws IOException;
  }

  /** A point whose files are complete, and perhaps not all in the store. */
  interface Unsent {
    /** What will be its manifest; empty when that is not known any more. */
    Optional<Manifest> point();

    /** Id of the point that its image leans on. */
    Optional<UUID> below();

    /**
     * Puts what is not there yet into the store.
     *
     * @throws blksnap.error.BlkSnapException {@code EBADMSG} when the files are gone or not what
     *     they were, {@code ECANCELED} when it was given up
     */
    void publish(Transfer transfer) throws IOException;

    /** Leaves nothing of it on this machine. */
    void forget() throws IOException;
  }
}
