package blksnap.cli.daemon;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Directories;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.live.Waiting;
import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.log.LogRing.Level;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Starts the engine, as a daemon or in this process. */
@Command(
    name = "load",
    description = {
      "Start the engine; returns when it serves.",
      "What was attached before is attached again. Parameters are those of 'blksnap param list'."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap load",
      "  blksnap load chunk_minimum_shift=20 diff_storage_minimum=4194304",
      "  blksnap load --foreground --run-dir /run/blksnap"
    })
public final class LoadCommand implements Callable<Integer> {
  private static final int MAX_PORT = 65_535;

  /** What the engine met on its way up is shown as far as this. */
  private static final int MAX_WARNINGS = 20;

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      arity = "0..*",
      paramLabel = Labels.ASSIGNMENT,
      description = "Parameters; they win over those of --config.")
  List<String> assignments = List.of();

  @Option(
      names = "--config",
      paramLabel = Labels.FILE,
      description = "File of parameters, one NAME=VALUE a line; lines with # are comments.")
  Optional<Path> config = Optional.empty();

  @Option(
      names = "--foreground",
      description = "Stay in this process until unloaded or ended by SIGTERM or SIGINT.")
  boolean foreground;

  @Option(
      names = "--tcp",
      paramLabel = "PORT",
      description = "Serve NBD also on this port of 127.0.0.1.")
  Optional<Integer> tcp = Optional.empty();

  @Option(
      names = "--notify",
      hidden = true,
      description = "Say on standard output when serving, and leave the terminal's session.")
  boolean notify;

  public LoadCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (context.options().embedded()) {
      throw usage("--embedded engines live for one command: load starts one that stays");
    }
    if (foreground && context.inShell()) {
      throw usage("--foreground would end with the shell: leave it and load from outside");
    }
    if (tcp.isPresent() && (tcp.get() < 1 || tcp.get() > MAX_PORT)) {
      throw usage("--tcp takes a port from 1 to " + MAX_PORT + ", not " + tcp.get());
    }
    OptionalInt port = tcp.map(OptionalInt::of).orElse(OptionalInt.empty());
    for (String assignment : assignments) {
      if (!assignment.contains("=")) {
        throw usage("'" + assignment + "' is not of the form NAME=VALUE");
      }
    }
    var parameters = new ParameterAssignments();
    if (config.isPresent()) {
      parameters.addFile(context.environment().absolute(config.get()));
    }
    for (String assignment : assignments) {
      parameters.add(assignment);
    }
    Directories directories = context.directories();
    if (foreground) {
      return new ForegroundEngine(context, directories, notify).run(parameters.values(), port);
    }
    var grave = new ArrayBlockingQueue<String>(MAX_WARNINGS);
    try (Waiting waiting = context.waiting("loading")) {
      new DaemonLauncher(directories)
          .launch(
              parameters.words(),
              port,
              line -> {
                waiting.stage("loading: " + line.text());
                if (line.level().number() <= Level.WARNING.number()) {
                  var _ = grave.offer(line.text()); // dmesg has them all
                }
              });
    }
    if (context.format() != OutputFormat.JSON) {
      grave.forEach(context::warn);
    }
    context.printer().print(new CtrlReply.Done());
    return ExitCodes.DONE;
  }

  private ParameterException usage(String sentence) {
    return new ParameterException(spec.commandLine(), sentence);
  }
}
