package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.Directories;
import blksnap.cli.command.Environment;
import blksnap.cli.daemon.TrainingEngine;
import blksnap.nbdclient.NbdAddress;
import blksnap.nbdclient.NbdClient;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the commands on backups print, in each of the three forms: of a small disk of a real engine.
 * Times and identities are masked; the points of each form are numbered.
 */
@Timeout(120)
final class BackupGoldenTest {
  static final Set<String> COMMANDS =
      Set.of("backup", "backups list", "backups open", "prune", "restore", "verify");

  private static final int DISK_BYTES = 1 << 20;
  private static final Pattern POINT = Pattern.compile("\\d{8}T\\d{6}Z");

  /** What is another in every run, and what stands for it; the width of a table is kept. */
  private static final Map<Pattern, String> MASKS = new LinkedHashMap<>();

  static {
    MASKS.put(Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID");
    MASKS.put(Pattern.compile("\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z"), "TIME");
    MASKS.put(Pattern.compile("\\d{4}-\\d\\d-\\d\\d"), "YYYY-MM-DD");
    MASKS.put(Pattern.compile("\"duration_ms\":\\d+"), "\"duration_ms\":N");
    MASKS.put(Pattern.compile("in \\d+\\.\\d s"), "in N s");
    MASKS.put(Pattern.compile(" +\\d+\\.\\ds "), "  N.Ns ");
    MASKS.put(Pattern.compile("\t\\d+\t(?=TIME|damaged|\n)"), "\tMILLIS\t");
  }

  @TempDir private Path directory;

  private final Map<String, StringBuilder> printed = new LinkedHashMap<>();

  /** The first point of each form. */
  private boolean removed;

  private Directories engine = new Directories(Path.of(""), Path.of(""));

  @Test
  void printWhatTheGoldenFilesSay() throws Exception {
    engine = new Directories(directory.resolve("run"), directory.resolve("state"));
    Path disk = directory.resolve("vm1.img");
    var random = new Random(1);
    byte[] content = new byte[DISK_BYTES];
    random.nextBytes(content);
    Files.write(disk, content);
    for (String form : Golden.FORMS) {
      Files.createDirectory(here(form));
    }
    try (var _ = TrainingEngine.load(engine)) {
      run(Golden.FORMS.getFirst(), "attach", disk.toString());
      Path other = Files.write(directory.resolve("db10.img"), new byte[4096]);
      run(Golden.FORMS.getFirst(), "attach", other.toString());
      printed("backup", "backup vm1 --to b --storage . --jobs 1");
      overwrite(8192, random);
      awaitAnotherSecond(); // or the next points would be called as those, with a number
      printed("backup", "backup vm --to b --storage . --jobs 1");
      printed("backup", "backup vm2 --to b");
      printed("backup", "backup db1 --to b");
    }
    printed("backups list", "backups list b");
    printed("verify", "verify b");
    printed("verify", "verify b/vm1");
    printed("backups list", "backups b");
    open();
    printed("restore", "restore b/vm1 --to vm1.img");
    printed("restore", "restore b/vm1 --to vm1.img");
    printed("restore", "restore b/vm1 --to vm1.img --in-place --force");
    printed("prune", "prune b --device vm --keep-last 1");
    printed("prune", "prune b --device vm1 --keep-last 1 --dry-run");
    printed("prune", "prune b --keep-last 1");
    removed = true;
    printed("backups list", "backups b");
    damage();
    printed("verify", "verify b");
    printed("backups list", "backups b");
    printed("restore", "restore b/vm1 --to other.img");

    assertThat(printed.keySet()).isEqualTo(COMMANDS);
    for (String command : COMMANDS) {
      Golden.compare(command, String.valueOf(printed.get(command)));
    }
  }

  /** Where a form has its backups. */
  private Path here(String form) {
    return directory.resolve(form);
  }

  private Environment environment(String form) {
    return new Environment(
        Map.of(
            "LANG",
            "C.UTF-8",
            Directories.RUN_VARIABLE,
            engine.run().toString(),
            Directories.STATE_VARIABLE,
            engine.state().toString()),
        0,
        directory,
        here(form),
        false,
        false,
        false);
  }

  private CommandRun run(String form, String... words) {
    return CommandRun.overSocket(environment(form), words);
  }

  /** Runs a line in each of the forms, and notes what it printed. */
  private void printed(String command, String line) throws IOException {
    for (String form : Golden.FORMS) {
      CommandRun run = run(form, (line + " -o " + form).split(" "));
      String told = // that it lasts, on a machine that is busy with something else
          run.err()
              .lines()
              .filter(text -> !text.startsWith("{\"progress\":"))
              .map(text -> text + "\n")
              .collect(Collectors.joining());
      note(command, line, form, run.out(), told, run.code());
    }
  }

  private void note(String command, String line, String form, String out, String err, int code)
      throws IOException {
    StringBuilder text = printed.computeIfAbsent(command, _ -> new StringBuilder());
    text.append("$ blksnap ").append(line).append(" -o ").append(form).append('\n');
    text.append(masked(form, out));
    text.append(err.isEmpty() ? "" : "--- stderr\n" + masked(form, err));
    text.append(code == 0 ? "" : "--- exit code " + code + "\n");
  }

  private String masked(String form, String text) throws IOException {
    Set<String> points = new TreeSet<>();
    try (Stream<Path> files = Files.list(here(form).resolve("b/vm1"))) {
      files.forEach(file ->
          POINT.matcher(file.toString()).results().map(MatchResult::group).forEach(points::add));
    }
    POINT.matcher(text).results().map(MatchResult::group).forEach(points::add);
    String masked =
        text.replace(here(form).toString(), "DIR").replace(directory.toString(), "DISKS");
    int number = removed ? 2 : 1;
    for (String point : points) {
      masked = masked.replace(point, "20260101T00000" + number++ + "Z");
    }
    for (Map.Entry<Pattern, String> mask : MASKS.entrySet()) {
      masked = mask.getKey().matcher(masked).replaceAll(mask.getValue());
    }
    return masked;
  }

  private void overwrite(int bytes, Random random) throws IOException {
    ByteBuffer block = ByteBuffer.allocateDirect(bytes);
    byte[] data = new byte[bytes];
    random.nextBytes(data);
    block.put(data).flip();
    Path socket = engine.run().resolve("nbd.sock");
    try (NbdClient client =
        NbdClient.connect(NbdAddress.parse("nbd+unix:///vm1?socket=" + socket))) {
      client.write(DISK_BYTES / 2, block);
    }
  }

  private static void awaitAnotherSecond() {
    long second = Instant.now().getEpochSecond();
    while (Instant.now().getEpochSecond() == second) {
      LockSupport.parkNanos(5_000_000);
    }
  }

  /** It serves until a signal ends its process; here its thread is interrupted. */
  private void open() throws Exception {
    String line = "backups open b/vm1 --socket open.sock";
    for (String form : Golden.FORMS) {
      var out = new StringWriter();
      var words = new ArrayList<>(List.of(line.split(" ")));
      words.addAll(List.of("-o", form));
      var thread =
          new Thread(() -> {
            var nowhere = new PrintWriter(new StringWriter());
            Main.run(
                words.toArray(String[]::new),
                environment(form),
                Main.opener(),
                InputStream.nullInputStream(),
                new PrintWriter(out),
                nowhere);
          });
      thread.start();
      while (out.toString().isEmpty() && thread.isAlive()) {
        LockSupport.parkNanos(5_000_000);
      }
      thread.interrupt();
      thread.join();
      note("backups open", line, form, out.toString(), "", 0);
    }
  }

  /** Changes a byte in the middle of the one image that is left. */
  private void damage() throws IOException {
    for (String form : Golden.FORMS) {
      try (Stream<Path> files = Files.list(here(form).resolve("b/vm1"))) {
        List<Path> images = files.filter(file -> file.toString().endsWith(".qcow2")).toList();
        assertThat(images).hasSize(1);
        try (var file = new RandomAccessFile(images.getFirst().toFile(), "rw")) {
          file.seek(file.length() / 2);
          int old = file.read();
          file.seek(file.length() / 2);
          file.write(old ^ 1);
        }
      }
    }
  }
}
