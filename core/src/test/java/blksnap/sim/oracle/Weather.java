package blksnap.sim.oracle;

/** What may happen in a run. */
enum Weather {
  /** Only kills and cuts: nothing may break that is not meant to. */
  FAIR,
  /** Diff storage runs full. */
  TIGHT,
  /** Calls fail. */
  FOUL
}
