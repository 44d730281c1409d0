package blksnap.diffarea;

import blksnap.error.Errno;

/** Told, once, that an area is corrupt; called from writers' threads and must not block. */
public interface AreaListener {
  void corrupted(Errno cause, String why);
}
