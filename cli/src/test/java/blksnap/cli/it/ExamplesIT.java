package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.Examples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the README tells to type works as it stands there, and the manual can be read. */
@Timeout(240)
final class ExamplesIT {
  private static final int MIB = 1 << 20;

  /** Examples by how they begin, and why they do not run here: what has them instead. */
  private static final Map<String, String> ELSEWHERE =
      Map.ofEntries(
          Map.entry("load", "the README's here; ListenIT with TLS, DaemonIT in the foreground"),
          Map.entry("unload", "the README's here; DaemonIT"),
          Map.entry("shell", "reads lines: ShellIT, DaemonIT"),
          Map.entry("demo", "takes its time: DemoIT"),
          Map.entry("backup vm1 --to s3:", "needs a server: BackupS3IT"),
          Map.entry("backups open", "serves until a signal comes: BackupIT"),
          Map.entry("dmesg --follow", "ends with the engine: LiveCommandsTest"),
          Map.entry("resize data --reconnect", "needs another server: ResizeIT"),
          Map.entry("snapshot take monday --freeze", "needs a file system: FreezeIT"),
          Map.entry("snapshot wait", "needs an event: StorageIT"),
          Map.entry("snapshot watch", "ends with the snapshot: LiveCommandsTest"),
          Map.entry("snapshot_watcher", "ends with the snapshot: UpstreamIT"),
          Map.entry("stretch_snapshot", "ends with the snapshot: UpstreamIT"),
          Map.entry("markdirtyblock --device=vm1 --file", "needs a file system: UpstreamIT"),
          Map.entry(
              "tracker_markdirtyblock --device=vm1 --file", "needs a file system: UpstreamIT"));

  @TempDir private Path directory;

  @Test
  void theReadmeCanBeTypedInLineByLine() throws Exception {
    Lab.need("nbdcopy", "bash");
    try (var lab = new Lab(directory)) {
      Path bin = Objects.requireNonNull(Path.of(Lab.launcher()).getParent());
      byte[] content = Files.readAllBytes(lab.disk("vm1.img", 2 * MIB));
      Map<String, String> variables = new HashMap<>(lab.variables());
      variables.put("PATH", bin + ":" + System.getenv("PATH"));
      String script =
          String.join("\n", byHand()).replaceAll("/var/lib/images|/var/tmp|/backup", ".");
      String line = "cd '" + directory + "'\n" + script;
      try (Background shell = lab.start(variables, "bash", "-euo", "pipefail", "-c", line)) {
        assertThat(shell.awaitSuccess()).contains("nbd+unix:///vm1?socket=", "OFFSET");
      } finally {
        if (Files.exists(lab.run().resolve("pid"))) {
          lab.kill();
        }
      }
      assertThat(Files.readAllBytes(lab.path("vm1.raw"))).isEqualTo(content);
    }
  }

  /** From {@code load} to {@code unload}; what stands before builds the program or is a test. */
  private static List<String> byHand() throws Exception {
    List<String> lines = Examples.code("README.md");
    List<String> byHand =
        lines.subList(lines.indexOf("blksnap load"), lines.size()).stream()
            .filter(line -> !line.isBlank())
            .toList();
    assertThat(byHand.getLast()).endsWith("blksnap unload");
    return byHand;
  }

  /** All but those that never return or need more than disks. */
  @Test
  void whatReturnsRunsOnARealEngine() throws Exception {
    List<List<String>> examples =
        Examples.all().stream()
            .map(Examples.Found::words)
            .distinct()
            // One that grows a disk comes last: then it is no longer what its backups are of.
            .sorted(Comparator.comparing(words -> words.getFirst().equals("resize")))
            .toList();
    for (String begin : ELSEWHERE.keySet()) {
      assertThat(examples).as(begin).anyMatch(words -> String.join(" ", words).startsWith(begin));
    }
    try (var lab = new Lab(directory)) {
      lab.load();
      makeDisks(lab);
      int run = 0;
      for (List<String> example : examples) {
        String line = String.join(" ", example);
        if (ELSEWHERE.keySet().stream().noneMatch(line::startsWith)) {
          Map<String, String> names = stage(lab, line);
          List<String> words = new ArrayList<>();
          example.forEach(word -> words.add(here(word, names)));
          if (isEndless(line)) {
            words.addAll(List.of("-n", "1"));
          }
          lab.ok(words.toArray(String[]::new));
          run++;
        }
      }
      assertThat(run).isGreaterThan(60);
      clear(lab);
      lab.unload();
    }
  }

  /** A view that is drawn anew until somebody ends it. */
  private static boolean isEndless(String line) {
    return (line.contains(" --watch") || line.startsWith("top")) && !line.contains(" -n ");
  }

  private void makeDisks(Lab lab) throws IOException {
    Files.createDirectory(lab.path("tmp"));
    Files.createDirectory(lab.path("images"));
    for (String disk : List.of("images/vm1.img", "vm2.img", "vm3.img", "data.img", "target.img")) {
      lab.sparse(disk, 256L * MIB);
    }
    for (String storage : List.of("tmp/more.diff", "tmp/diff")) {
      lab.sparse(storage, 16L * MIB);
    }
    for (String device : List.of("spare", "sdb")) {
      lab.sparse(device, 3072L * MIB);
    }
    lab.disk("disk.img", MIB); // of the README
    lab.ok("attach", lab.path("images/vm1.img").toString());
    lab.ok("backup", "vm1", "--to", lab.path("backup").toString());
  }

  /**
   * Makes what the example is about.
   *
   * @return what stands in examples for something that is here
   */
  private Map<String, String> stage(Lab lab, String line) throws IOException {
    clear(lab);
    if (!line.startsWith("attach")) {
      for (String disk : List.of("images/vm1.img", "vm2.img", "vm3.img", "data.img")) {
        lab.ok("attach", lab.path(disk).toString());
      }
    }
    Map<String, String> names = new LinkedHashMap<>(); // the longer ones first
    names.put("/var/lib/images", directory + "/images");
    names.put("/var/tmp", directory + "/tmp");
    names.put("/dev/vg0/vm1", directory + "/target.img");
    names.put("/dev/vg0/data", directory + "/data.img");
    names.put("/dev/vg0/spare", directory + "/spare");
    names.put("/dev/sdb", directory + "/sdb");
    names.put("/backup", directory + "/backup");
    names.put("/run/blksnap", lab.run().toString());
    String point = lab.ok("backups", directory + "/backup", "-o", "plain").split("[/\t]", 3)[1];
    names.put("20261122T171115Z", point);
    if (line.contains("$id")) {
      String id = lab.ok("snapshot_create", "-d", "vm1");
      names.put("$id", id);
      if (line.startsWith("snapshot_take")) {
        lab.ok("snapshot_appendstorage", "-i", id, "-f", directory + "/tmp/diff");
      }
    } else if (line.matches("snapshot (add|take|append-storage) .*")) {
      create(lab, "monday", "vm1");
    } else if (!line.matches("(attach|detach|tracker_remove|resize|snapshot.create) .*")) {
      create(lab, "monday", "vm1", "--take");
      create(lab, "tuesday", "vm1", "--take");
    }
    return names;
  }

  private void create(Lab lab, String name, String... words) {
    List<String> line = new ArrayList<>(List.of("snapshot", "create", "--name", name));
    line.addAll(List.of("--storage", directory + "/tmp"));
    line.addAll(List.of(words));
    lab.ok(line.toArray(String[]::new));
  }

  private static String here(String word, Map<String, String> names) {
    if (word.equals("5")) {
      return "0.1"; // seconds between two views
    }
    for (Map.Entry<String, String> name : names.entrySet()) {
      int at = word.indexOf(name.getKey());
      if (at >= 0) {
        return word.substring(0, at)
            + name.getValue()
            + here(word.substring(at + name.getKey().length()), names);
      }
    }
    return word;
  }

  private static void clear(Lab lab) throws IOException {
    lab.ok("snapshot_collect", "-o", "plain")
        .lines()
        .forEach(id -> lab.ok("snapshot", "destroy", id));
    for (String line : lab.ok("devices", "-o", "plain").lines().toList()) {
      lab.detachWhenUnused(line.split("\t", 2)[0]);
    }
  }

  @Test
  void helpShowsTheManualPageOnATerminal() throws Exception {
    Lab.need("man", "script");
    try (var lab = new Lab(directory)) {
      Map<String, String> variables = new HashMap<>(lab.variables());
      variables.putAll(Map.of("MANPAGER", "cat", "MANWIDTH", "80", "TERM", "dumb"));
      String help = "'" + Lab.launcher() + "' help snapshot take";
      try (Background shell = lab.start(variables, "script", "-qec", help, "/dev/null")) {
        assertThat(shell.awaitSuccess())
            .contains("BLKSNAP-SNAPSHOT(1)", "blksnap-snapshot - Create, take")
            .doesNotContain("Usage:");
      }
    }
  }
}
