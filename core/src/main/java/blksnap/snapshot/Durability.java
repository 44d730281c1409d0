package blksnap.snapshot;

/** What a taken snapshot survives. */
public enum Durability {
  /** Nothing: it is gone with the engine. */
  NONE,
  /** A killed engine; after a power loss it is corrupt, never wrong. */
  PROCESS,
  /** A power loss. */
  POWER
}
