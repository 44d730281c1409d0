package blksnap.nbd;

import blksnap.device.BlockDevice;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** What the server can serve, asked anew for every negotiation. Safe from many threads. */
public interface ExportTable {
  /** Every export a client may list, in a stable order. */
  List<Export> list();

  /** The export with this name; the empty name is the default export, if there is one. */
  Optional<Export> find(String name);

  /**
   * Names of the metadata contexts of an export that are worth listing, besides {@code
   * base:allocation}, which every export has; in a stable order.
   */
  default List<String> contextNames(String exportName) {
    return List.of();
  }

  /**
   * The metadata context with this name of the export, listed or not; empty when there is none.
   * {@code base:allocation} is not asked for here.
   */
  default Optional<MetaContext> context(String exportName, String contextName) {
    return Optional.empty();
  }

  /**
   * Takes the export into use for one client until the session is closed. The device of a session
   * may start to fail with {@code ESHUTDOWN} at any time, when it is detached or destroyed by
   * force.
   *
   * @param peer who asks, for the log and for {@code EBUSY} sentences
   * @throws blksnap.error.BlkSnapException {@code ENOENT} when no export has this name (any more)
   */
  Session open(String name, String peer) throws IOException;

  /**
   * What a client learns of an export before using it.
   *
   * @param name canonical, never empty
   * @param description for people, may be empty
   */
  record Export(String name, String description, long sizeBytes, boolean readOnly) {}

  /**
   * One client's use of one export. Closing it does not close the device, and twice is harmless.
   */
  interface Session extends Closeable {
    BlockDevice device();

    /** What requests have to pass; empty where nothing can hold them up. */
    default Optional<NbdThrottle> throttle() {
      return Optional.empty();
    }

    /** Whether this client's requests yield to those of others who do not. */
    default boolean yields() {
      return false;
    }

    @Override
    void close();
  }
}
