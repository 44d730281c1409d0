package blksnap.backup;

import java.io.IOException;
import java.util.Map;

/**
 * A kind of place for backups that a module on the class path brings; found by {@link
 * java.util.ServiceLoader} when a URI asks for it.
 */
public interface BackupStores {
  /** How its URIs begin, without {@code ://}. */
  String scheme();

  /**
   * Opens a place.
   *
   * @param variables of the environment
   * @throws blksnap.error.BlkSnapException {@code EINVAL} when the URI is none of its
   */
  BackupStore open(String uri, Map<String, String> variables) throws IOException;
}
