package blksnap.cli.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.Main;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real daemon, started and ended by real commands, each in a process of its own. */
@Timeout(180)
public final class DaemonIT {
  @TempDir private Path directory;

  private Path run = Path.of("");
  private Path state = Path.of("");

  private record Ended(int code, String out, String err) {}

  @BeforeEach
  void chooseDirectories() {
    run = directory.resolve("run");
    state = directory.resolve("state");
  }

  @AfterEach
  void endWhatATestLeft() throws IOException {
    Path pid = run.resolve("pid");
    if (Files.exists(pid)) {
      ProcessHandle.of(Long.parseLong(Files.readString(pid).strip()))
          .ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  @Test
  void servesFromLoadToUnloadAndLeavesNothingInTheRunDirectoryButItsLog() throws Exception {
    assertThat(blksnap("load", "chunk_minimum_shift=20")).isEqualTo(new Ended(0, "", ""));
    ProcessHandle daemon = daemon();
    assertThat(daemon.isAlive()).isTrue();
    assertThat(permissions(run)).isEqualTo("rwx------");
    assertThat(permissions(run.resolve("daemon.log"))).isEqualTo("rw-------");
    assertThat(session(daemon.pid())).isEqualTo(daemon.pid());
    assertThat(blksnap("param", "list", "-o", "plain").out()).contains("chunk_minimum_shift\t20\n");

    assertThat(blksnap("unload")).isEqualTo(new Ended(0, "", ""));
    assertThat(daemon.isAlive()).isFalse();
    assertThat(run.resolve("pid")).doesNotExist();
    assertThat(run.resolve("ctrl.sock")).doesNotExist();
  }

  @Test
  void refusesASecondEngineAndLeavesTheFirstAlone() throws Exception {
    assertThat(blksnap("load").code()).isZero();
    ProcessHandle first = daemon();
    Ended second = blksnap("load", "-o", "json");
    assertThat(second.code()).isEqualTo(1);
    String error = second.err().lines().toList().getLast(); // lines of progress may be before it
    assertThat(error).startsWith("{\"error\":{\"errno\":\"EEXIST\",\"number\":17,");
    assertThat(daemon()).isEqualTo(first);
    assertThat(blksnap("devices", "-o", "plain")).isEqualTo(new Ended(0, "", ""));
    assertThat(blksnap("unload").code()).isZero();
  }

  @Test
  void endsInOrderAtSigterm() throws Exception {
    Process engine = start(List.of("load", "--foreground"));
    Path pid = run.resolve("pid");
    while (!Files.exists(pid) && engine.isAlive()) {
      engine.waitFor(20, TimeUnit.MILLISECONDS);
    }
    assertThat(pid).hasContent(engine.pid() + "\n");
    engine.destroy();
    assertThat(engine.waitFor()).isZero();
    assertThat(pid).doesNotExist();
    assertThat(run.resolve("ctrl.sock")).doesNotExist();
    assertThat(Files.readString(directory.resolve("err"))).contains("] Module was unloaded\n");
  }

  @Test
  void runsOneCommandInAnEmbeddedEngineAndLeavesNoSocket() throws Exception {
    assertThat(blksnap("--embedded", "modinfo", "-o", "plain").out()).contains("initstate\tlive\n");
    assertThat(run.resolve("ctrl.sock")).doesNotExist();
  }

  @Test
  void saysWhichEngineIsMissing() throws Exception {
    Ended ended = blksnap("devices");
    assertThat(ended.code()).isEqualTo(1);
    assertThat(ended.err()).startsWith("blksnap: no engine is loaded").contains("(ENOENT)\nhint: ");
  }

  @Test
  void loadsFromWithinTheShell() throws Exception {
    Path script = Files.writeString(directory.resolve("script"), "load\ndevices\nunload\n");
    Ended ended = blksnap(script.toFile(), List.of("shell", "-o", "plain"));
    assertThat(ended).isEqualTo(new Ended(0, "", ""));
    assertThat(run.resolve("pid")).doesNotExist();
  }

  private ProcessHandle daemon() throws IOException {
    long pid = Long.parseLong(Files.readString(run.resolve("pid")).strip());
    return ProcessHandle.of(pid).orElseThrow();
  }

  /** The number of a process's session: the fourth field behind its name in parentheses. */
  private static long session(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
    return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[3]);
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  private Ended blksnap(String... args) throws Exception {
    return blksnap(new File("/dev/null"), List.of(args));
  }

  private Ended blksnap(File input, List<String> args) throws Exception {
    Process process = start(args, input);
    int code = process.waitFor();
    return new Ended(code, text("out"), text("err"));
  }

  private String text(String name) throws IOException {
    return Files.readString(directory.resolve(name), StandardCharsets.UTF_8);
  }

  private Process start(List<String> args) throws IOException {
    return start(args, new File("/dev/null"));
  }

  private Process start(List<String> args, File input) throws IOException {
    var words =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
    words.addAll(args);
    var builder =
        new ProcessBuilder(words)
            .redirectInput(input)
            .redirectOutput(directory.resolve("out").toFile())
            .redirectError(directory.resolve("err").toFile());
    builder.environment().put("BLKSNAP_RUN_DIR", run.toString());
    builder.environment().put("BLKSNAP_STATE_DIR", state.toString());
    return builder.start();
  }
}
