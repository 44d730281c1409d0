package blksnap.cli;

import blksnap.cli.backup.BackupCommand;
import blksnap.cli.backup.BackupsCommand;
import blksnap.cli.backup.BackupsListCommand;
import blksnap.cli.backup.BackupsOpenCommand;
import blksnap.cli.backup.PruneCommand;
import blksnap.cli.backup.RestoreCommand;
import blksnap.cli.backup.VerifyCommand;
import blksnap.cli.command.AttachCommand;
import blksnap.cli.command.CatCommand;
import blksnap.cli.command.CbtInfoCommand;
import blksnap.cli.command.CbtMapCommand;
import blksnap.cli.command.CbtMarkCommand;
import blksnap.cli.command.CbtShowCommand;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.DetachCommand;
import blksnap.cli.command.DevicesCommand;
import blksnap.cli.command.DmesgCommand;
import blksnap.cli.command.ModInfoCommand;
import blksnap.cli.command.ParamGetCommand;
import blksnap.cli.command.ParamListCommand;
import blksnap.cli.command.ParamSetCommand;
import blksnap.cli.command.ResizeCommand;
import blksnap.cli.command.SnapshotAddCommand;
import blksnap.cli.command.SnapshotAppendStorageCommand;
import blksnap.cli.command.SnapshotCreateCommand;
import blksnap.cli.command.SnapshotDestroyCommand;
import blksnap.cli.command.SnapshotImagesCommand;
import blksnap.cli.command.SnapshotInfoCommand;
import blksnap.cli.command.SnapshotListCommand;
import blksnap.cli.command.SnapshotTakeCommand;
import blksnap.cli.command.SnapshotWaitCommand;
import blksnap.cli.command.SnapshotWatchCommand;
import blksnap.cli.command.StatusCommand;
import blksnap.cli.command.TopCommand;
import blksnap.cli.command.UnloadCommand;
import blksnap.cli.command.VersionCommand;
import blksnap.cli.daemon.LoadCommand;
import blksnap.cli.demo.DemoCommand;
import blksnap.cli.model.Models;
import blksnap.cli.reference.CompletionCommand;
import blksnap.cli.reference.HelpLayout;
import blksnap.cli.repl.ShellCommand;
import blksnap.cli.upstream.AddCommand;
import blksnap.cli.upstream.AppendStorageCommand;
import blksnap.cli.upstream.CollectCommand;
import blksnap.cli.upstream.CreateCommand;
import blksnap.cli.upstream.DestroyCommand;
import blksnap.cli.upstream.ImageInfoCommand;
import blksnap.cli.upstream.MapInfoCommand;
import blksnap.cli.upstream.MarkDirtyCommand;
import blksnap.cli.upstream.ReadCbtMapCommand;
import blksnap.cli.upstream.StretchCommand;
import blksnap.cli.upstream.TakeCommand;
import blksnap.cli.upstream.TrackerCollectCommand;
import blksnap.cli.upstream.TrackerRemoveCommand;
import blksnap.cli.upstream.WaitEventCommand;
import blksnap.cli.upstream.WatcherCommand;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * All commands. A line of the shell of the operating system builds only the command that it names,
 * because building the model is what start-up costs; help, completion and our own shell build them
 * all. Both are made from the one list here.
 */
public final class CommandTree {
  /** Every command, in the order of the help; the first word of two names a group. */
  private static final List<String> COMMANDS =
      List.of(
          "load",
          "unload",
          "modinfo",
          "version",
          "dmesg",
          "param list",
          "param get",
          "param set",
          "attach",
          "detach",
          "resize",
          "devices",
          "cbt info",
          "cbt map",
          "cbt show",
          "cbt mark",
          "snapshot create",
          "snapshot add",
          "snapshot append-storage",
          "snapshot take",
          "snapshot list",
          "snapshot info",
          "snapshot images",
          "snapshot wait",
          "snapshot watch",
          "snapshot destroy",
          "backup",
          "backups list",
          "backups open",
          "verify",
          "restore",
          "prune",
          "status",
          "top",
          "cat",
          "shell",
          "demo",
          "completion");

  /** Those of the kernel module's tools that have a name of their own, hidden from help. */
  private static final List<String> UPSTREAM =
      List.of(
          "tracker_remove",
          "tracker_collect",
          "tracker_readcbtmap",
          "tracker_markdirtyblock",
          "snapshot_create",
          "snapshot_destroy",
          "snapshot_appendstorage",
          "snapshot_take",
          "snapshot_waitevent",
          "snapshot_collect",
          "stretch_snapshot",
          "cbtinfo",
          "readcbtmap",
          "markdirtyblock",
          "snapshot_add",
          "snapshot_info",
          "snapshot_watcher");

  private static final String SHELL = "shell";
  private static final String BACKUPS = "backups";
  private static final String HELP = "help";

  /** Columns of help; every terminal in use has them, and the examples fit. */
  private static final int HELP_WIDTH = 100;

  /** Common options whose value may be the next word. */
  private static final List<String> OPTIONS_WITH_VALUE =
      List.of("--run-dir", "--state-dir", "-o", "--output", "--color");

  private final CommandContext context;

  public CommandTree(CommandContext context) {
    this.context = context;
  }

  /** The whole tree. */
  public CommandLine full() {
    return build(all().toList(), true);
  }

  /** The whole tree without the shell, for use within it. */
  public CommandLine withoutShell() {
    return build(all().filter(command -> !command.equals(SHELL)).toList(), true);
  }

  private static Stream<String> all() {
    return Stream.concat(COMMANDS.stream(), UPSTREAM.stream());
  }

  /**
   * A tree that has at least what this line needs; the whole one when the line names no command of
   * ours.
   */
  public CommandLine forArguments(String[] args) {
    List<String> words = firstWords(args);
    for (String command : all().toList()) {
      List<String> names = List.of(command.split(" "));
      if (words.size() >= names.size() && words.subList(0, names.size()).equals(names)) {
        return build(List.of(command), false);
      }
    }
    return full();
  }

  /** At most two words of the line that are neither options nor their values. */
  private static List<String> firstWords(String[] args) {
    var words = new ArrayList<String>();
    for (int i = 0; i < args.length && words.size() < 2; i++) {
      if (OPTIONS_WITH_VALUE.contains(args[i])) {
        i++;
      } else if (!args[i].startsWith("-")) {
        words.add(args[i]);
      }
    }
    return words;
  }

  private CommandLine build(List<String> commands, boolean withHelp) {
    var root = new CommandLine(Models.of(new RootCommand(context)));
    root.getCommandSpec()
        .addMixin("common", Models.of(context.options()))
        .addOption(
            OptionSpec.builder("-V", "--version")
                .versionHelp(true)
                .description("Print the version and exit.")
                .build());
    for (String command : commands) {
      int space = command.indexOf(' ');
      if (space < 0) {
        root.addSubcommand(command, line(command));
      } else {
        CommandLine group = group(root, command.substring(0, space));
        group.addSubcommand(command.substring(space + 1), line(command));
      }
    }
    if (withHelp) {
      root.addSubcommand(HELP, Models.of(new HelpCommand(context)));
    }
    return configured(root);
  }

  private CommandLine group(CommandLine root, String name) {
    CommandLine existing = root.getSubcommands().get(name);
    if (existing != null) {
      return existing;
    }
    if (name.equals(BACKUPS)) { // can be run by itself
      var backups = new CommandLine(Models.of(new BackupsCommand(context)));
      root.addSubcommand(name, backups);
      return backups;
    }
    CommandSpec spec = CommandSpec.create().name(name);
    spec.usageMessage().description(groupDescription(name)).synopsisSubcommandLabel("COMMAND");
    spec.usageMessage().footer(groupExamples(name));
    var group = new CommandLine(spec);
    root.addSubcommand(name, group);
    return group;
  }

  private static String groupDescription(String name) {
    return switch (name) {
      case "param" -> "Show and change the parameters.";
      case "cbt" -> "Changed block tracking: what changed on a device since when.";
      case "snapshot" -> "Create, take, read and destroy snapshots.";
      default -> throw new IllegalArgumentException("no group " + name);
    };
  }

  private static String[] groupExamples(String name) {
    return switch (name) {
      case "param" ->
          new String[] {
            "", "Examples:", "  blksnap param list", "  blksnap param set chunk_minimum_shift 20"
          };
      case "cbt" ->
          new String[] {
            "", "Examples:", "  blksnap cbt info vm1", "  blksnap cbt map vm1 --since monday"
          };
      case "snapshot" ->
          new String[] {
            "",
            "Examples:",
            "  blksnap snapshot create vm1 --storage /var/tmp --name monday --take",
            "  blksnap snapshot list",
            "  blksnap snapshot destroy monday"
          };
      default -> throw new IllegalArgumentException("no group " + name);
    };
  }

  private CommandLine line(String command) {
    return UPSTREAM.contains(command)
        ? named(command, makeUpstream(command))
        : new CommandLine(Models.of(make(command)));
  }

  private Object make(String command) {
    return switch (command) {
      case "load" -> new LoadCommand(context);
      case "unload" -> new UnloadCommand(context);
      case "modinfo" -> new ModInfoCommand(context);
      case "version" -> new VersionCommand(context);
      case "dmesg" -> new DmesgCommand(context);
      case "param list" -> new ParamListCommand(context);
      case "param get" -> new ParamGetCommand(context);
      case "param set" -> new ParamSetCommand(context);
      case "attach" -> new AttachCommand(context);
      case "detach" -> new DetachCommand(context);
      case "resize" -> new ResizeCommand(context);
      case "devices" -> new DevicesCommand(context);
      case "cbt info" -> new CbtInfoCommand(context);
      case "cbt map" -> new CbtMapCommand(context);
      case "cbt show" -> new CbtShowCommand(context);
      case "cbt mark" -> new CbtMarkCommand(context);
      case "snapshot create" -> new SnapshotCreateCommand(context);
      case "snapshot add" -> new SnapshotAddCommand(context);
      case "snapshot append-storage" -> new SnapshotAppendStorageCommand(context);
      case "snapshot take" -> new SnapshotTakeCommand(context);
      case "snapshot list" -> new SnapshotListCommand(context);
      case "snapshot info" -> new SnapshotInfoCommand(context);
      case "snapshot images" -> new SnapshotImagesCommand(context);
      case "snapshot wait" -> new SnapshotWaitCommand(context);
      case "snapshot watch" -> new SnapshotWatchCommand(context);
      case "snapshot destroy" -> new SnapshotDestroyCommand(context);
      case "backup" -> new BackupCommand(context);
      case "backups list" -> new BackupsListCommand(context);
      case "backups open" -> new BackupsOpenCommand(context);
      case "verify" -> new VerifyCommand(context);
      case "restore" -> new RestoreCommand(context);
      case "prune" -> new PruneCommand(context);
      case "status" -> new StatusCommand(context);
      case "top" -> new TopCommand(context);
      case "cat" -> new CatCommand(context);
      case "shell" -> new ShellCommand(context, inner -> new CommandTree(inner).withoutShell());
      case "demo" -> new DemoCommand(context);
      case "completion" -> new CompletionCommand(context, this::full);
      default -> throw new IllegalArgumentException("no command " + command);
    };
  }

  private Object makeUpstream(String command) {
    return switch (command) {
      case "tracker_remove" -> new TrackerRemoveCommand(context);
      case "tracker_collect" -> new TrackerCollectCommand(context);
      case "tracker_readcbtmap" -> new ReadCbtMapCommand(context, true);
      case "tracker_markdirtyblock", "markdirtyblock" -> new MarkDirtyCommand(context);
      case "snapshot_create" -> new CreateCommand(context);
      case "snapshot_destroy" -> new DestroyCommand(context);
      case "snapshot_appendstorage" -> new AppendStorageCommand(context);
      case "snapshot_take" -> new TakeCommand(context);
      case "snapshot_waitevent" -> new WaitEventCommand(context);
      case "snapshot_collect" -> new CollectCommand(context);
      case "stretch_snapshot" -> new StretchCommand(context);
      case "cbtinfo" -> new MapInfoCommand(context);
      case "readcbtmap" -> new ReadCbtMapCommand(context, false);
      case "snapshot_add" -> new AddCommand(context);
      case "snapshot_info" -> new ImageInfoCommand(context);
      case "snapshot_watcher" -> new WatcherCommand(context);
      default -> throw new IllegalArgumentException("no command " + command);
    };
  }

  /** Some are known by two names; their examples have the one that they were written for. */
  private static CommandLine named(String name, Object command) {
    var line = new CommandLine(Models.of(command));
    String written = "blksnap " + line.getCommandName() + " ";
    var usage = line.getCommandSpec().usageMessage();
    usage.footer(
        Arrays.stream(usage.footer())
            .map(example -> example.replace(written, "blksnap " + name + " "))
            .toArray(String[]::new));
    return line.setCommandName(name);
  }

  private CommandLine configured(CommandLine root) {
    var errors = new CommandErrors(context);
    root.setOut(context.out());
    root.setErr(context.err());
    root.setExecutionExceptionHandler(errors);
    root.setParameterExceptionHandler(errors);
    root.setUsageHelpWidth(HELP_WIDTH);
    root.setExpandAtFiles(false); // "@" is part of an image's name

    HelpLayout.apply(root, this::scheme);
    return root;
  }

  private Help.ColorScheme scheme() {
    boolean colored = context.outPalette().enabled();
    return Help.defaultColorScheme(colored ? Help.Ansi.ON : Help.Ansi.OFF);
  }
}
