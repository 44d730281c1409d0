package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.CommandRun;
import blksnap.cli.command.Environment;
import blksnap.testing.Commands;
import blksnap.testing.RealClients;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A directory with disks in it, and a daemon that serves them. The daemon is started by the
 * launcher, with the options that it has there; other commands run in this process, over its
 * control socket. Closing it ends the daemon.
 */
final class Lab implements Closeable {
  static final int BLOCK = 4096;

  private static final long MOST_SECONDS = 60;

  private final Path directory;
  private final Path state;
  private final List<String> prefix;
  private final Environment environment;
  private final List<ProcessHandle> daemons = new ArrayList<>();
  private int outputs;

  Lab(Path directory) {
    this(directory, directory.resolve("state"), List.of());
  }

  /**
   * @param state where the daemon keeps its state
   * @param prefix words before the launcher: a program that runs it in a world of its own
   */
  Lab(Path directory, Path state, List<String> prefix) {
    this.directory = directory;
    this.state = state;
    this.prefix = List.copyOf(prefix);
    this.environment =
        new Environment(
            Map.of(
                "LANG", "C.UTF-8",
                "BLKSNAP_RUN_DIR", run().toString(),
                "BLKSNAP_STATE_DIR", state().toString()),
            0,
            directory,
            directory,
            false,
            false,
            false);
  }

  /** Skips the test, or fails it, where one of the programs is not installed. */
  static void need(String... programs) {
    String path = System.getenv().getOrDefault("PATH", "") + ":/usr/sbin:/sbin";
    for (String program : programs) {
      boolean there =
          Arrays.stream(path.split(":", -1))
              .anyMatch(entry -> Files.isExecutable(Path.of(entry, program)));
      RealClients.require(there, program + " is not installed");
    }
  }

  Path run() {
    return directory.resolve("run");
  }

  Path state() {
    return state;
  }

  Path path(String name) {
    return directory.resolve(name);
  }

  Path nbdSocket() {
    return run().resolve("nbd.sock");
  }

  String uri(String export) {
    return "nbd+unix:///" + export + "?socket=" + nbdSocket();
  }

  // The daemon.

  /** Starts it; returns when it serves. */
  void load(String... assignments) throws IOException, InterruptedException {
    try (Background load = launch(assignments)) {
      load.awaitSuccess();
    }
    daemons.add(daemon());
  }

  /** Starts a daemon that does not leave the foreground, and waits until it serves. */
  Background loadInForeground(String... assignments) throws IOException {
    var words = new ArrayList<>(List.of("--foreground"));
    words.addAll(List.of(assignments));
    Background engine = launch(words.toArray(String[]::new));
    boolean serves = false;
    try {
      until(
          "the engine serves",
          () -> {
            if (!engine.isAlive()) {
              throw new IOException("the engine ended: " + engine.output());
            }
            return isServedBy(engine.pid());
          });
      serves = true;
      return engine;
    } finally {
      if (!serves) {
        engine.close();
      }
    }
  }

  /** Whether this process says that it serves; one before it may have left its word. */
  boolean isServedBy(long pid) throws IOException {
    Path file = run().resolve("pid");
    return Files.exists(file) && Files.readString(file).strip().equals(Long.toString(pid));
  }

  /** Starts {@code load} with these words by the launcher. */
  Background launch(String... words) throws IOException {
    var command = new ArrayList<>(prefix);
    command.addAll(List.of(launcher(), "load"));
    command.addAll(List.of(words));
    return start(variables(), command.toArray(String[]::new));
  }

  /** Starts it by the launcher from a shell with this umask; returns when it serves. */
  void loadWithUmask(String umask) throws IOException, InterruptedException {
    String shell = "umask " + umask + " && exec \"$0\" \"$@\"";
    loadBy("sh", "-c", shell, launcher(), "load");
  }

  /** Starts it by a command that returns when it serves. */
  void loadBy(String... command) throws IOException, InterruptedException {
    try (Background load = start(variables(), command)) {
      load.awaitSuccess();
    }
    daemons.add(daemon());
  }

  /**
   * Starts an engine in the foreground without the launcher; not in {@link #load}'s care, so the
   * caller ends it.
   *
   * @param options of Java
   */
  Background foreground(String classpath, String... options) throws IOException {
    var command = new ArrayList<>(List.of(java(), "--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", classpath, "blksnap.cli.Main", "load", "--foreground"));
    return start(variables(), command.toArray(String[]::new));
  }

  Background start(Map<String, String> variables, String... command) throws IOException {
    return Background.start(newOutput(), variables, command);
  }

  Map<String, String> variables() {
    return Map.of(
        "BLKSNAP_JAVA", java(),
        "BLKSNAP_RUN_DIR", run().toString(),
        "BLKSNAP_STATE_DIR", state().toString());
  }

  static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  static String launcher() {
    return Path.of(System.getProperty("basedir", ""), "bin/blksnap").toAbsolutePath().toString();
  }

  /** Whether the engine that is starting serves. */
  void awaitServing() throws IOException {
    until("the engine serves", () -> Files.exists(run().resolve("pid")));
  }

  private Path newOutput() {
    return path("output-" + outputs++);
  }

  ProcessHandle daemon() throws IOException {
    long pid = Long.parseLong(Files.readString(run().resolve("pid")).strip());
    return ProcessHandle.of(pid).orElseThrow();
  }

  /** Ends it without a chance to clean up. */
  void kill() throws IOException {
    ProcessHandle daemon = daemon();
    assertThat(daemon.destroyForcibly()).isTrue();
    daemon.onExit().join();
  }

  /** Ends it by the command, which must find nothing in use. */
  void unload() throws IOException {
    ProcessHandle daemon = daemon();
    ok("unload");
    until("the daemon is gone", () -> !daemon.isAlive());
    assertThat(run().resolve("pid")).doesNotExist();
    assertThat(run().resolve("ctrl.sock")).doesNotExist();
    assertThat(nbdSocket()).doesNotExist();
  }

  // Commands and other programs.

  CommandRun command(String... words) {
    return CommandRun.overSocket(environment, words);
  }

  /** What the command printed, stripped; it must succeed. */
  String ok(String... words) {
    CommandRun run = command(words);
    assertThat(run.code()).as("%s: %s", List.of(words), run.err()).isZero();
    return run.out().strip();
  }

  /** What the command said in refusing. */
  String refused(String... words) {
    CommandRun run = command(words);
    assertThat(run.code()).as("%s: %s", List.of(words), run.out()).isEqualTo(1);
    return run.err();
  }

  /** One number of the status tree. */
  long number(String path) {
    return Long.parseLong(ok("cat", path));
  }

  /** The changed bytes of {@code cbt map}, one flag a block of {@link #BLOCK} bytes. */
  boolean[] changed(String device, long sizeBytes, String... options) {
    var words = new ArrayList<>(List.of("cbt", "map", device, "-o", "plain"));
    words.addAll(List.of(options));
    return changedBlocks(ok(words.toArray(String[]::new)), sizeBytes);
  }

  /** The same of what {@code cbt map} printed in its plain form. */
  static boolean[] changedBlocks(String map, long sizeBytes) {
    boolean[] changed = new boolean[Math.toIntExact(sizeBytes / BLOCK)];
    map.lines()
        .forEach(line -> {
          String[] range = line.split("\t", -1);
          long offset = Long.parseLong(range[0]);
          long end = offset + Long.parseLong(range[1]);
          assertThat(offset % BLOCK).isZero();
          Arrays.fill(
              changed,
              (int) (offset / BLOCK),
              (int) Math.min(changed.length, (end + BLOCK - 1) / BLOCK),
              true);
        });
    return changed;
  }

  /** Starts a program beside the test. */
  Background start(String... command) throws IOException {
    return Background.start(newOutput(), Map.of(), command);
  }

  /** Runs a program to its end; what it printed. */
  String program(String... command) throws IOException, InterruptedException {
    try (Background background = start(command)) {
      return background.awaitSuccess();
    }
  }

  /** Starts a writer that reads back and checks what it wrote. */
  Background fio(String export, long sizeBytes, String... options) throws IOException {
    need("fio");
    var command =
        new ArrayList<>(
            List.of(
                "fio",
                "--name=verify",
                "--ioengine=nbd",
                "--uri=" + uri(export),
                "--rw=randwrite",
                "--bs=4k",
                "--iodepth=16",
                "--size=" + sizeBytes,
                "--verify=crc32c",
                "--verify_fatal=1",
                "--verify_state_save=0"));
    command.addAll(List.of(options));
    return start(command.toArray(String[]::new));
  }

  // Disks.

  /** A file of random data, written out so that none of it is a hole. */
  Path disk(String name, int bytes) throws IOException {
    byte[] content = new byte[bytes];
    new Random(name.hashCode()).nextBytes(content);
    return Files.write(path(name), content);
  }

  /** A file of this size that is one hole. */
  Path sparse(String name, long bytes) throws IOException {
    Path file = path(name);
    Commands.run("truncate", "--size=" + bytes, file.toString());
    return file;
  }

  /** Bytes that a file takes on its disk. */
  static long allocated(Path file) throws IOException {
    return 512 * Long.parseLong(Commands.run("stat", "--format=%b", file.toString()));
  }

  /** Everything that an export holds. */
  byte[] content(String export) throws IOException {
    try (NbdSession session = NbdSession.open(nbdSocket(), export)) {
      return session.readAll();
    }
  }

  /** Detaches a device whose clients are on their way out. */
  void detachWhenUnused(String device) throws IOException {
    String refusal = "not asked yet";
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(2 * MOST_SECONDS);
    while (System.nanoTime() - deadline < 0) {
      CommandRun run = command("detach", device);
      if (run.code() == 0) {
        return;
      }
      refusal = run.err();
      assertThat(refusal).as("%s", run.out()).contains("(EBUSY)");
      pause(50); // asking is work, too
    }
    throw new AssertionError(device + " is still in use: " + refusal);
  }

  /** Returns once the condition holds. */
  static void until(String what, Condition condition) throws IOException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(MOST_SECONDS);
    while (!condition.holds()) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("not within " + MOST_SECONDS + " s: " + what);
      }
      pause(5);
    }
  }

  static void pause(long millis) {
    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis));
  }

  /** What {@link #until} waits for. */
  @FunctionalInterface
  interface Condition {
    boolean holds() throws IOException;
  }

  @Override
  public void close() {
    for (ProcessHandle daemon : daemons) {
      daemon.destroyForcibly();
      daemon.onExit().join();
    }
  }
}
