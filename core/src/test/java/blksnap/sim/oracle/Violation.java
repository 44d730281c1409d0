package blksnap.sim.oracle;

/** A promise is broken. */
public final class Violation extends AssertionError {
  private static final long serialVersionUID = 1L;

  public Violation(String what) {
    super(what);
  }

  public Violation(String what, Throwable cause) {
    super(what, cause);
  }
}
