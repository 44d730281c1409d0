package blksnap.sim.oracle;

/** Counts what happens, so that it can be said what came first. */
public final class Clock {
  private long now;

  public long now() {
    return now;
  }

  public long tick() {
    return ++now;
  }
}
