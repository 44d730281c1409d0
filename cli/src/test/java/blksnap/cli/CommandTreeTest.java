package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.AllCommands;
import blksnap.cli.testing.Environments;
import blksnap.cli.testing.FakeEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** That a line which builds one command sees the same command as one that builds all. */
final class CommandTreeTest {
  @ParameterizedTest
  @MethodSource("paths")
  void buildsOneCommandAsItIsInTheWholeTree(List<String> path) {
    CommandLine whole = at(AllCommands.tree().full(), path);
    CommandLine alone = at(AllCommands.tree().forArguments(path.toArray(String[]::new)), path);
    assertThat(alone.getUsageMessage()).isEqualTo(whole.getUsageMessage());
    assertThat(alone.getCommandSpec().optionsMap().keySet())
        .isEqualTo(whole.getCommandSpec().optionsMap().keySet());
  }

  @ParameterizedTest
  @MethodSource("paths")
  void buildsNothingButTheCommandThatALineNames(List<String> path) {
    var line = new ArrayList<>(List.of("--run-dir", "devices", "-o", "json", "--debug"));
    line.addAll(path);
    CommandLine root = AllCommands.tree().forArguments(line.toArray(String[]::new));
    if (!path.equals(List.of("help"))) {
      assertThat(root.getSubcommands().keySet()).containsExactly(path.getFirst());
    }
  }

  @ParameterizedTest
  @MethodSource("paths")
  void givesEveryCommandAnExampleThatBeginsWithItsOwnWords(List<String> path) {
    assertThat(at(AllCommands.tree().full(), path).getUsageMessage())
        .contains("Examples:\n")
        .contains("blksnap " + String.join(" ", path));
  }

  @Test
  void givesEveryCommandOfTheShellHelpWithAnExample() {
    String script =
        Stream.of("cd", "ls", "tree", "pwd", "echo", "watch", "exit", "quit", "devices")
            .map(name -> name + " --help\n")
            .collect(Collectors.joining());
    var run = CommandRun.of(new FakeEngine(), Environments.user(), script, "shell");
    assertThat(run.err()).isEmpty();
    List<String> helps = List.of(run.out().split("(?m)^Usage: ", -1));
    assertThat(helps).hasSize(10).first().isEqualTo("");
    for (String help : helps.subList(1, 9)) {
      String name = help.split("[ \n]", 3)[1];
      assertThat(help).contains("Common options:\n", "\nExamples:\n  " + name);
    }
    assertThat(helps.getLast()).startsWith("blksnap devices");
  }

  @Test
  void buildsTheWholeTreeForALineThatNamesNoCommand() {
    int all = AllCommands.tree().full().getSubcommands().size();
    assertThat(AllCommands.tree().forArguments(new String[] {}).getSubcommands()).hasSize(all);
    assertThat(AllCommands.tree().forArguments(new String[] {"--help"}).getSubcommands())
        .hasSize(all);
    assertThat(AllCommands.tree().forArguments(new String[] {"snapshot"}).getSubcommands())
        .hasSize(all);
    assertThat(AllCommands.tree().forArguments(new String[] {"snapshot", "x"}).getSubcommands())
        .hasSize(all);
  }

  @Test
  void namesEveryCommandAsItsClassDoes() {
    for (List<String> path : paths().toList()) {
      assertThat(at(AllCommands.tree().full(), path).getCommandName()).isEqualTo(path.getLast());
    }
  }

  @Test
  void printsHelpOfACommandOnStandardOutput() {
    var run = CommandRun.of(new FakeEngine(), "detach", "--help");
    assertThat(run)
        .isEqualTo(
            new CommandRun(
                0,
                """
                Usage: blksnap detach DEVICE
                Detach a device: stop serving and tracking it, and forget its change map.
                Refused with EBUSY while a client uses it or a snapshot holds it.

                Parameters:
                      DEVICE            Name of the device.

                Common options:
                      --color=WHEN      Use of colour: auto, always, never; auto also heeds NO_COLOR.
                      --debug           Print the exchange with the engine, and stack traces.
                      --embedded        Run an engine inside this process, for this one command.
                  -h, --help            Show help and exit.
                  -o, --output=FORMAT   Form of the output: table, json, plain.
                      --run-dir=DIR     Directory of the engine's sockets (also BLKSNAP_RUN_DIR).
                      --state-dir=DIR   Directory of what outlives the engine (also BLKSNAP_STATE_DIR).

                Examples:
                  blksnap detach vm1
                """,
                ""));
    assertThat(CommandRun.of(new FakeEngine(), "help", "detach")).isEqualTo(run);
  }

  @Test
  void printsTheVersionWithoutAnEngine() {
    var engine = new FakeEngine();
    assertThat(CommandRun.of(engine, "version").out()).isEqualTo("1.0.0.0\n");
    assertThat(CommandRun.of(engine, "--version").out()).isEqualTo("1.0.0.0\n");
    assertThat(engine.requests()).isEmpty();
  }

  static Stream<List<String>> paths() {
    return paths(AllCommands.tree().full(), List.of()).stream();
  }

  private static List<List<String>> paths(CommandLine line, List<String> above) {
    var paths = new ArrayList<List<String>>();
    for (var below : line.getSubcommands().entrySet()) {
      var path = new ArrayList<>(above);
      path.add(below.getKey());
      if (below.getValue().getSubcommands().isEmpty()) {
        paths.add(path);
      } else {
        paths.addAll(paths(below.getValue(), path));
      }
    }
    return paths;
  }

  private static CommandLine at(CommandLine root, List<String> path) {
    CommandLine line = root;
    for (String name : path) {
      line = line.getSubcommands().get(name);
      assertThat(line).as(name).isNotNull();
    }
    return line;
  }
}
