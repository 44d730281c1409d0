package blksnap.cli.daemon;

import blksnap.cli.Main;
import blksnap.cli.command.Directories;
import blksnap.cli.output.Failure;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** Starts the daemon and waits until it serves. */
final class DaemonLauncher {
  /** Longer than any recovery should take; a daemon that does not serve by then is told to go. */
  static final long READY_TIMEOUT_SECONDS = 300;

  /** A log larger than this is moved aside before a daemon starts; one older log is kept. */
  static final long MAX_LOG_BYTES = 4 << 20;

  private static final String LAUNCHER_PROPERTY = "blksnap.launcher";

  /** Tells the launcher where the virtual machine is to write if it crashes. */
  private static final String CRASH_FILE_VARIABLE = "BLKSNAP_CRASH_FILE";

  /** What the launcher starts a daemon with, for those who start without it. */
  private static final List<String> JAVA_OPTIONS =
      List.of(
          "--enable-native-access=ALL-UNNAMED",
          "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
          "-XX:+UseG1GC",
          "-Xmx256m",
          "-XX:MaxDirectMemorySize=512m",
          "-XX:+ExitOnOutOfMemoryError",
          "-XX:+DisplayVMOutputToStderr");

  private final Directories directories;

  DaemonLauncher(Directories directories) {
    this.directories = directories;
  }

  /**
   * Returns when the daemon serves.
   *
   * @param assignments words of the form {@code NAME=VALUE}
   * @param nbdWords options of {@code load} that say where NBD is served, and to whom
   * @param news gets what the daemon logs until then, on another thread
   * @throws BlkSnapException why the daemon did not load, in its own words
   */
  void launch(List<String> assignments, List<String> nbdWords, Consumer<DaemonNews.Line> news)
      throws IOException, InterruptedException {
    RunDirectory.prepare(directories.run());
    var builder =
        new ProcessBuilder(words(assignments, nbdWords))
            .directory(new File("/")) // so that no file system is kept busy by where load was typed
            .redirectInput(Redirect.from(new File("/dev/null")))
            .redirectError(Redirect.appendTo(log().toFile()));
    builder.environment().put(CRASH_FILE_VARIABLE, LastWords.crashFile(directories).toString());
    Process daemon = builder.start();
    var readiness = new FutureTask<Optional<Failure>>(() -> readiness(daemon, news));
    Thread.ofPlatform().daemon().name("blksnap-readiness").start(readiness);
    try {
      Optional<Failure> failure = readiness.get(READY_TIMEOUT_SECONDS, TimeUnit.SECONDS);
      if (failure.isPresent()) {
        throw failure.get().toException();
      }
    } catch (ExecutionException e) {
      throw new BlkSnapException(Errno.EIO, "waiting for the daemon failed", e.getCause());
    } catch (TimeoutException e) {
      daemon.destroy();
      throw new BlkSnapException(
              Errno.ETIMEDOUT,
              "the daemon did not serve within " + READY_TIMEOUT_SECONDS + " seconds",
              e)
          .withHint(directories.daemonLog() + " may say why");
    }
  }

  /** Reads what the daemon tells; lines that a virtual machine puts before it are passed over. */
  private Optional<Failure> readiness(Process daemon, Consumer<DaemonNews.Line> news)
      throws IOException, InterruptedException {
    try (BufferedReader lines = daemon.inputReader()) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        DaemonNews.parse(line).ifPresent(news);
        Optional<Failure> failure = Failure.parse(line);
        if (line.equals(ForegroundEngine.READY) || failure.isPresent()) {
          return failure;
        }
      }
    }
    return Optional.of(
        new Failure(
            Errno.ESRCH,
            "the daemon ended with code " + daemon.waitFor() + " before it served",
            directories.daemonLog() + " may say why"));
  }

  private List<String> words(List<String> assignments, List<String> nbdWords) {
    var words = new ArrayList<String>(program());
    words.addAll(List.of("load", "--foreground", "--notify"));
    words.addAll(List.of("--run-dir", directories.run().toString()));
    words.addAll(List.of("--state-dir", directories.state().toString()));
    words.addAll(nbdWords);
    words.addAll(assignments);
    return words;
  }

  /** The launcher that started this process, or the same virtual machine when there was none. */
  private List<String> program() {
    String launcher = System.getProperty(LAUNCHER_PROPERTY, "");
    if (!launcher.isEmpty()) {
      return List.of(Path.of(launcher).toAbsolutePath().toString());
    }
    var words = new ArrayList<String>();
    words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    words.addAll(JAVA_OPTIONS);
    words.add("-XX:ErrorFile=" + LastWords.crashFile(directories));
    words.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    return words;
  }

  /** The log, there and private before a daemon writes to it. */
  private Path log() throws IOException {
    Path log = directories.daemonLog();
    if (Files.isSymbolicLink(log)) {
      throw new BlkSnapException(Errno.EINVAL, log + " is a symbolic link, which is not followed");
    }
    if (Files.exists(log) && Files.size(log) > MAX_LOG_BYTES) {
      Path old = log.resolveSibling(log.getFileName() + ".1");
      Files.move(log, old, StandardCopyOption.REPLACE_EXISTING);
    }
    var owner = PosixFilePermissions.fromString("rw-------");
    FileChannel.open(
            log,
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND, LinkOption.NOFOLLOW_LINKS),
            PosixFilePermissions.asFileAttribute(owner))
        .close();
    Files.setPosixFilePermissions(log, owner); // a umask may have taken even our own rights
    return log;
  }
}
