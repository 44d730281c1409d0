package blksnap.cli.command;

/** What the process tells whoever started it. */
public final class ExitCodes {
  public static final int DONE = 0;

  /** Refused or failed; stderr says why. */
  public static final int FAILED = 1;

  /** The command line itself is wrong; nothing was tried. */
  public static final int USAGE = 2;

  private ExitCodes() {}
}
