package blksnap.sim.machine;

/** A call of the machine that can fail. */
public enum Call {
  OPEN,
  STAT,
  READ,
  WRITE,
  SEEK,
  PUNCH,
  ZERO,
  ALLOCATE,
  TRUNCATE,
  SYNC,
  MAP,
  FORCE,
  CREATE,
  DELETE,
  RENAME,
  LIST,
  LOCK,
  CLOSE
}
