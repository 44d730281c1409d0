package blksnap.sim.machine;

/** What a file is to the engine, by the directory it is in. */
public enum FileClass {
  /** The state directory. */
  STATE,
  /** Diff storage. */
  STORAGE,
  /** The originals. */
  DISK,
  /** Anything else. */
  OTHER
}
