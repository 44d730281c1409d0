package blksnap.cli.command;

import picocli.CommandLine.IVersionProvider;

/** The version of this program, which is that of the engine it starts. */
public final class ProgramVersion implements IVersionProvider {
  /** {@code major.minor.revision.build}. */
  public static final String TEXT = "1.0.0.0";

  @Override
  public String[] getVersion() {
    return new String[] {TEXT};
  }
}
