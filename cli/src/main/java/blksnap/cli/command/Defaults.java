package blksnap.cli.command;

import blksnap.cli.output.OutputFormat;

/**
 * What holds for a line that does not say otherwise.
 *
 * @param shell whether the line was typed into our own shell
 */
public record Defaults(OutputFormat format, ColorMode color, boolean debug, boolean shell) {
  /** For a command line of the operating system's shell. */
  public static final Defaults ONE_SHOT =
      new Defaults(OutputFormat.TABLE, ColorMode.AUTO, false, false);
}
