package blksnap.cli.command;

import blksnap.cli.output.OutputFormat;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/**
 * The options that every command takes, before or behind its name. Picocli sets them anew for each
 * line.
 */
public final class CommonOptions {
  @Option(
      names = "--run-dir",
      paramLabel = Labels.DIRECTORY,
      scope = ScopeType.INHERIT,
      description = "Directory of the engine's sockets (also BLKSNAP_RUN_DIR).")
  Optional<Path> runDirectory = Optional.empty();

  @Option(
      names = "--state-dir",
      paramLabel = Labels.DIRECTORY,
      scope = ScopeType.INHERIT,
      description = "Directory of what outlives the engine (also BLKSNAP_STATE_DIR).")
  Optional<Path> stateDirectory = Optional.empty();

  @Option(
      names = "--embedded",
      scope = ScopeType.INHERIT,
      description = "Run an engine inside this process, for this one command.")
  boolean embedded;

  @Option(
      names = {"-o", "--output"},
      paramLabel = Labels.FORMAT,
      converter = EnumWord.ToFormat.class,
      scope = ScopeType.INHERIT,
      description = "Form of the output: ${COMPLETION-CANDIDATES}.")
  Optional<OutputFormat> format = Optional.empty();

  @Option(
      names = "--color",
      paramLabel = Labels.WHEN,
      converter = EnumWord.ToColor.class,
      scope = ScopeType.INHERIT,
      description = "Use of colour: ${COMPLETION-CANDIDATES}; auto also heeds NO_COLOR.")
  Optional<ColorMode> color = Optional.empty();

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Print the exchange with the engine, and stack traces.")
  boolean debug;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show help and exit.")
  boolean help;

  public Optional<Path> runDirectory() {
    return runDirectory;
  }

  public Optional<Path> stateDirectory() {
    return stateDirectory;
  }

  public boolean embedded() {
    return embedded;
  }

  public Optional<OutputFormat> format() {
    return format;
  }

  /** What an option of a command that means the same as {@code -o json} does, for this line. */
  void useJson() {
    format = Optional.of(OutputFormat.JSON);
  }

  public Optional<ColorMode> color() {
    return color;
  }

  public boolean debug() {
    return debug;
  }

  /** Whether help was asked for; it is printed before any command runs. */
  public boolean help() {
    return help;
  }
}
