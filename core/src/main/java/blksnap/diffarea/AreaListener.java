package blksnap.diffarea;

import blksnap.error.Errno;

/**
 * Told what becomes of an area, and once that it is corrupt; called from writers' threads and must
 * not block.
 */
public interface AreaListener {
  void corrupted(Errno cause, String why);

  /** That it is corrupt, or on its way out, could not be stored: a restart may not know it. */
  void notRemembered(String why);

  /** After {@link #notRemembered}: a restart does know it now. */
  void remembered();
}
