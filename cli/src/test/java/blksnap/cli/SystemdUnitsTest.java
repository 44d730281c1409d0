package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.AllCommands;
import blksnap.testing.Commands;
import blksnap.testing.RealClients;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine.ParseResult;

/** What the units for systemd start is ours, and systemd understands them. */
final class SystemdUnitsTest {
  private static final Path UNITS = Path.of("systemd").toAbsolutePath();
  private static final String BACKUP = "blksnap-backup@.service";
  private static final String INSTANCE = "vm1";

  @TempDir private Path directory;

  private Path log;

  /** A program of our name that writes down its words, and nothing between two runs. */
  @BeforeEach
  void install() throws IOException {
    log = directory.resolve("log");
    Path program = Files.createDirectory(directory.resolve("bin")).resolve("blksnap");
    Files.writeString(
        program,
        "#!/bin/sh\nfor word; do echo \"$word\"; done >>'" + log + "'\necho >>'" + log + "'");
    assertThat(program.toFile().setExecutable(true)).isTrue();
  }

  private static List<Path> units() throws IOException {
    try (Stream<Path> all = Files.list(UNITS)) {
      return all.sorted().toList();
    }
  }

  /**
   * Starts everything that a unit does, and parses what reaches our program.
   *
   * @param settings of its file in /etc; a shell splits their values as systemd would
   */
  private List<ParseResult> started(String unit, Map<String, String> settings) throws Exception {
    Files.write(log, new byte[0]);
    Map<String, String> variables = new HashMap<>();
    List<String> commands = new ArrayList<>();
    for (String line : Files.readAllLines(UNITS.resolve(unit))) {
      String value = line.substring(line.indexOf('=') + 1).replace("%i", INSTANCE);
      if (line.startsWith("Environment=")) {
        for (String setting : value.split(" ", -1)) {
          variables.put(setting.split("=", 2)[0], setting.split("=", 2)[1]);
        }
      } else if (line.startsWith("Exec")) {
        commands.add(value);
      }
    }
    variables.putAll(settings);
    for (String command : commands) {
      var builder = new ProcessBuilder("sh", "-euc", command).inheritIO();
      builder.environment().putAll(variables);
      builder.environment().merge("PATH", directory + "/bin:", (old, ours) -> ours + old);
      assertThat(builder.start().waitFor()).as(command).isZero();
    }
    List<ParseResult> parsed = new ArrayList<>();
    for (String run : Files.readString(log).split("\n\n", -1)) {
      if (!run.isEmpty()) {
        String[] words = run.split("\n", -1);
        parsed.add(AllCommands.tree().full().parseArgs(words).subcommand());
      }
    }
    return parsed;
  }

  private static List<String> names(List<ParseResult> started) {
    return started.stream().map(result -> result.commandSpec().name()).toList();
  }

  private static List<String> pruned(List<ParseResult> started) {
    assertThat(names(started)).containsExactly("backup", "prune");
    return started.getLast().matchedOptionValue("--device", List.of());
  }

  @Test
  void whatTheyStartIsACommandOfOurs() throws Exception {
    Map<String, String> settings =
        Map.of(
            "BACKUP_TO", "/backup",
            "BACKUP_OPTIONS", "--compression=zstd --limit-rate 10M",
            "KEEP", "--keep-daily 7 --keep-weekly 4");
    List<String> names = new ArrayList<>();
    for (Path unit : units()) {
      names.addAll(names(started(unit.getFileName().toString(), settings)));
    }
    assertThat(names).containsExactly("backup", "prune", "verify");
  }

  @Test
  void onlyPointsOfTheDeviceThatWasBackedUpAreRemoved() throws Exception {
    var settings = new HashMap<>(Map.of("BACKUP_TO", "/backup", "BACKUP_OPTIONS", "", "KEEP", ""));
    assertThat(names(started(BACKUP, settings))).containsExactly("backup");
    settings.put("KEEP", "--keep-last 3");
    assertThat(pruned(started(BACKUP, settings))).containsExactly(INSTANCE);

    settings.put("BACKUP_PATH", "/srv/data.img");
    settings.put("BACKUP_DEVICE", "data");
    List<ParseResult> started = started(BACKUP, settings);
    assertThat(pruned(started)).containsExactly("data");
    List<String> backedUp = started.getFirst().matchedPositionalValue(0, List.of());
    assertThat(backedUp).containsExactly("/srv/data.img");
  }

  @Test
  void systemdUnderstandsThem() throws IOException {
    RealClients.require(
        Commands.works("systemd-analyze", "--version"), "systemd-analyze is not installed");
    var command = new ArrayList<>(List.of("systemd-analyze", "verify", "--man=no"));
    units().forEach(unit -> command.add(unit.toString()));
    String said = Commands.run(command.toArray(String[]::new));
    assertThat(Arrays.stream(said.split("\n", -1)).filter(line -> line.contains("blksnap")))
        .isEmpty();
  }
}
