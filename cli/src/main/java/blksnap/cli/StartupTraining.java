package blksnap.cli;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import blksnap.cli.command.Directories;
import blksnap.cli.command.Environment;
import blksnap.cli.repl.ShellRehearsal;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlServer;
import blksnap.log.LogRing;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Does once what commands and the shell do when they start, so that Java can keep the classes for
 * its start-up archive: against an engine that knows one device, in a directory that is removed.
 * The launcher runs it; it prints nothing.
 */
final class StartupTraining {
  /** Whatever hangs must not keep the user's first command from running. */
  private static final long PATIENCE_SECONDS = 30;

  /** The argument that asks for a rehearsal of the shell, too. */
  private static final String SHELL = "shell";

  /** The argument that asks for a rehearsal of backups, too. */
  private static final String BACKUP = "backup";

  private static final List<List<String>> LINES =
      List.of(
          List.of("version"),
          List.of("devices"),
          List.of("devices", "-o", "plain"),
          List.of("devices", "-o", "json"),
          List.of("snapshot", "create", "vm1", "--storage", "/old", "--name", "s", "--take"),
          List.of("snapshot", "take", "s"),
          List.of("snapshot", "destroy", "s"),
          List.of("snapshot", "list", "-o", "plain"),
          List.of("status", "/sys/block"),
          List.of("no-such-command"));

  private StartupTraining() {}

  public static void main(String[] args) throws IOException {
    Thread.ofPlatform().daemon().name("blksnap-patience").start(StartupTraining::giveUp);
    Path directory = Files.createTempDirectory("blksnap-training");
    try {
      rehearse(directory, args.length > 0 ? args[0] : "");
    } finally {
      remove(directory);
    }
    System.exit(0);
  }

  private static void rehearse(Path directory, String kind) throws IOException {
    try (var _ = CtrlServer.start(directory.resolve("ctrl.sock"), new OneDevice(), new LogRing())) {
      train(environment(directory, new Directories(directory, directory)), kind.equals(SHELL));
    }
    if (kind.equals(BACKUP)) {
      var own = new Directories(directory.resolve("run"), directory.resolve("state"));
      Environment environment = environment(directory, own);
      BackupRehearsal.run(directory, own, line -> run(line, environment));
    }
  }

  private static void giveUp() {
    try {
      TimeUnit.SECONDS.sleep(PATIENCE_SECONDS);
    } catch (InterruptedException _) {
      return; // nobody does
    }
    Runtime.getRuntime().halt(1);
  }

  private static Environment environment(Path directory, Directories engine) {
    Environment own = Environment.ofProcess();
    var variables = new HashMap<>(own.variables());
    variables.putAll(
        Map.of(
            Directories.RUN_VARIABLE,
            engine.run().toString(),
            Directories.STATE_VARIABLE,
            engine.state().toString(),
            "XDG_STATE_HOME",
            directory.toString(),
            "TERM",
            "xterm"));
    return new Environment(variables, own.uid(), directory, directory, true, true, true);
  }

  private static void run(List<String> line, Environment environment) {
    var _ =
        Main.run(
            line.toArray(String[]::new),
            environment,
            Main.opener(),
            InputStream.nullInputStream(),
            nowhere(),
            nowhere());
  }

  private static void train(Environment environment, boolean shell) throws IOException {
    Main.tellUncaught(new String[0], nowhere());
    for (List<String> line : LINES) {
      run(line, environment);
    }
    if (shell) {
      rehearseShell(environment);
    }
  }

  private static void rehearseShell(Environment environment) throws IOException {
    var context =
        new CommandContext(
            environment,
            Main.opener(),
            InputStream.nullInputStream(),
            nowhere(),
            nowhere(),
            Defaults.ONE_SHOT);
    ShellRehearsal.run(context, inner -> new CommandTree(inner).withoutShell());
  }

  private static PrintWriter nowhere() {
    return new PrintWriter(Writer.nullWriter());
  }

  private static void remove(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.toList().reversed()) {
        Files.delete(file);
      }
    }
  }

  /** What a command asks first. */
  private static final class OneDevice implements CtrlHandler {
    private static final CtrlReply.Taken TAKEN =
        new CtrlReply.Taken(new CtrlReply.Consistency("crash-consistent", ""), List.of());

    @Override
    public CtrlReply handle(CtrlRequest request) {
      return switch (request) {
        case CtrlRequest.Devices _ ->
            new CtrlReply.DeviceList(
                List.of(
                    new CtrlReply.DeviceEntry(
                        "vm1",
                        "/vm1.img",
                        1L << 30,
                        false,
                        CtrlRequest.Cache.WRITEBACK,
                        "nbd+unix:///vm1",
                        List.of(),
                        List.of())));
        case CtrlRequest.SnapshotCreate _ ->
            new CtrlReply.Created(new UUID(0, 0), "s", Optional.of(TAKEN));
        case CtrlRequest.SnapshotTake _ -> TAKEN;
        case CtrlRequest.SnapshotDestroy _ -> new CtrlReply.Done();
        case CtrlRequest.SnapshotList _ -> new CtrlReply.Snapshots(List.of());
        default -> new CtrlReply.VersionInfo("");
      };
    }
  }
}
