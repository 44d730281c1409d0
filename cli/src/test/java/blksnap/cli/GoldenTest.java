package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.daemon.DaemonIT;
import blksnap.cli.demo.DemoIT;
import blksnap.cli.testing.AllCommands;
import blksnap.cli.testing.FakeEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every command prints, whole, in each of the three forms. {@code BackupGoldenTest} has the
 * commands on backups.
 */
final class GoldenTest {
  /** The lines that are run of each command; words have no blanks. */
  private static final Map<String, List<String>> LINES =
      Map.ofEntries(
          Map.entry(
              "attach",
              List.of(
                  "attach vm1.img",
                  "attach /srv/vm1.img --name vm1",
                  "attach -d /srv/vm1.img",
                  "attach --device=/srv/vm2.img")),
          Map.entry("cbtinfo", List.of("cbtinfo --device=/srv/vm1.img", "cbtinfo -d vm1 -j")),
          Map.entry("cat", List.of("cat /sys/module/blksnap/parameters/chunk_minimum_shift")),
          Map.entry("cbt info", List.of("cbt info vm1")),
          Map.entry("cbt map", List.of("cbt map vm1 --since 3", "cbt map vm1 --raw %DIR%/map")),
          Map.entry("cbt show", List.of("cbt show vm1", "cbt show vm1 --since 3")),
          Map.entry("cbt mark", List.of("cbt mark vm1 0:8")),
          Map.entry("detach", List.of("detach vm1", "detach -d /srv/vm1.img")),
          Map.entry("devices", List.of("devices")),
          Map.entry("dmesg", List.of("dmesg")),
          Map.entry("help", List.of("help detach", "help snapshot_take", "help take")),
          Map.entry("modinfo", List.of("modinfo")),
          Map.entry("param get", List.of("param get chunk_minimum_shift")),
          Map.entry("param list", List.of("param list")),
          Map.entry("param set", List.of("param set chunk_minimum_shift 20")),
          Map.entry("resize", List.of("resize vm1 20G")),
          Map.entry("snapshot add", List.of("snapshot add monday vm2")),
          Map.entry("snapshot append-storage", List.of("snapshot append-storage monday x")),
          Map.entry(
              "snapshot create",
              List.of(
                  "snapshot create vm1 --storage s",
                  "snapshot create vm1 --storage s --take --freeze /srv")),
          Map.entry("snapshot destroy", List.of("snapshot destroy monday")),
          Map.entry("snapshot images", List.of("snapshot images monday")),
          Map.entry("snapshot info", List.of("snapshot info monday")),
          Map.entry("snapshot list", List.of("snapshot list")),
          Map.entry(
              "snapshot take", List.of("snapshot take monday", "snapshot take monday --post true")),
          Map.entry("snapshot wait", List.of("snapshot wait monday")),
          Map.entry("snapshot watch", List.of("snapshot watch monday")),
          Map.entry(
              "status",
              List.of(
                  "status",
                  "status /sys/block",
                  "status --json",
                  "status /sys/block --watch=0.1 -n 2")),
          Map.entry("top", List.of("top -n 1 -i 0.1")),
          Map.entry("unload", List.of("unload")),
          Map.entry(
              "markdirtyblock",
              List.of(
                  "markdirtyblock --device=vm1 --ranges 0:8 16:8",
                  "markdirtyblock --ranges=0:8",
                  "markdirtyblock --device vm1")),
          Map.entry(
              "readcbtmap",
              List.of(
                  "readcbtmap --device=vm1 --file=%DIR%/map", "readcbtmap -d vm1 -f %DIR%/map -j")),
          Map.entry("snapshot_add", List.of("snapshot_add --device=data --id=monday")),
          Map.entry(
              "snapshot_appendstorage",
              List.of(
                  "snapshot_appendstorage --id=monday --file=%DIR%/storage",
                  "snapshot_appendstorage -i monday -d /dev/sdb -r 0:8 -r 16:8",
                  "snapshot_appendstorage -i monday -d /dev/sdb")),
          Map.entry(
              "snapshot_collect", List.of("snapshot_collect", "snapshot_collect -j -i monday")),
          Map.entry(
              "snapshot_create",
              List.of(
                  "snapshot_create --device=vm1 --device=/dev/vg0/x",
                  "snapshot_create -d vm1 data -f /srv -l 1G",
                  "snapshot_create --file=/srv")),
          Map.entry("snapshot_destroy", List.of("snapshot_destroy --id=monday")),
          Map.entry(
              "snapshot_info",
              List.of(
                  "snapshot_info --device=data",
                  "snapshot_info -d vm1 -f image",
                  "snapshot_info -d vm1 --field error_code",
                  "snapshot_info -d vm1 -f x",
                  "snapshot_info -d vm2")),
          Map.entry("snapshot_take", List.of("snapshot_take --id monday")),
          Map.entry(
              "snapshot_waitevent",
              List.of(
                  "snapshot_waitevent --id=monday --timeout=0",
                  "snapshot_waitevent -i monday -t 0 -j",
                  "snapshot_waitevent -i monday")),
          Map.entry("snapshot_watcher", List.of("snapshot_watcher -i monday")),
          Map.entry(
              "stretch_snapshot",
              List.of("stretch_snapshot -i monday -p %DIR%/ -l 0", "stretch_snapshot -i monday")),
          Map.entry("tracker_collect", List.of("tracker_collect", "tracker_collect -j")),
          Map.entry(
              "tracker_markdirtyblock", List.of("tracker_markdirtyblock -d vm1@monday -r 0:8")),
          Map.entry(
              "tracker_readcbtmap",
              List.of(
                  "tracker_readcbtmap -d vm1 -f %DIR%/map -j",
                  "tracker_readcbtmap -d vm2 -f %DIR%/map")),
          Map.entry("tracker_remove", List.of("tracker_remove -d vm1", "tracker_remove")),
          Map.entry("version", List.of("version", "version -j", "version -m", "version -c")));

  /**
   * Those without a golden file, and the test that has what they print; it runs them as they are
   * typed.
   *
   * <ul>
   *   <li>completion prints the files in {@code completions}, whole.
   *   <li>demo chooses sizes by the machine, and tells of times and rates in every line.
   *   <li>load and shell print nothing of their own when all goes well, and are processes that
   *       stay.
   * </ul>
   */
  private static final Map<String, Class<?>> ELSEWHERE =
      Map.of(
          "completion", ReferenceTest.class,
          "demo", DemoIT.class,
          "load", DaemonIT.class,
          "shell", ScriptTest.class);

  @TempDir private Path directory;

  @ParameterizedTest
  @MethodSource("commands")
  void printsWhatTheGoldenFileSays(String command) throws IOException {
    var text = new StringBuilder();
    for (String line : LINES.getOrDefault(command, List.of())) {
      for (String form : Golden.FORMS) {
        text.append("$ blksnap ").append(line).append(" -o ").append(form).append('\n');
        text.append(output(line, form));
      }
    }
    Golden.compare(command, text.toString());
  }

  @Test
  void hasAGoldenFileOfEveryCommandAndOfNothingElse() throws IOException {
    Set<String> golden = new TreeSet<>(LINES.keySet());
    golden.addAll(BackupGoldenTest.COMMANDS);
    assertThat(Stream.concat(golden.stream(), ELSEWHERE.keySet().stream()))
        .containsExactlyInAnyOrderElementsOf(AllCommands.leaves());
    assertThat(Golden.names())
        .containsExactlyInAnyOrderElementsOf(golden.stream().map(Golden::name).toList());
  }

  private String output(String line, String form) throws IOException {
    Files.write(directory.resolve("storage"), new byte[1 << 20]);
    List<String> words = new ArrayList<>();
    for (String word : line.split(" ", -1)) {
      words.add(word.replace("%DIR%", directory.toString()));
    }
    words.addAll(List.of("-o", form));
    var run = CommandRun.of(FakeEngine.withOneEvent(), words.toArray(String[]::new));
    String err = run.err().isEmpty() ? "" : "--- stderr\n" + run.err();
    return run.out() + err + (run.code() == 0 ? "" : "--- exit code " + run.code() + "\n");
  }

  static Stream<String> commands() {
    return new TreeMap<>(LINES).keySet().stream();
  }
}
