package blksnap.cli.daemon;

import blksnap.cli.command.Directories;
import blksnap.log.LogRing;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.stream.Collectors;

/**
 * What a daemon that ends at once leaves behind for the next one to tell of. An engine whose thread
 * died, or that met an error nobody can judge, does not go on: everything it acknowledged is on its
 * disks and in its state directory, and a load finds it there.
 */
final class LastWords implements Thread.UncaughtExceptionHandler {
  /** The exit code; Java's own for the end of its memory. */
  static final int HALTED = 3;

  /** Frames of the stack that are kept. */
  private static final int MAX_FRAMES = 60;

  private final Path file;
  private final Path crashFile;
  private final Directories directories;
  private final PrintWriter err;

  LastWords(Directories directories, PrintWriter err) {
    this.file = directories.state().resolve("halted");
    this.crashFile = crashFile(directories);
    this.directories = directories;
    this.err = err;
  }

  /** Where a virtual machine that crashes writes what it knows. */
  static Path crashFile(Directories directories) {
    return directories.state().resolve("crashed");
  }

  /**
   * Ends this process. Prepared for having next to no memory: whatever fails on the way, the end
   * comes.
   */
  @Override
  public void uncaughtException(Thread thread, Throwable failure) {
    try {
      String text = "halted at " + Instant.now() + ": thread " + thread.getName() + ": " + failure;
      err.println("blksnap: " + text);
      err.flush();
      write(text + "\n" + frames(failure));
    } catch (IOException | RuntimeException | Error e) {
      // There is nobody left to tell.
    } finally {
      Runtime.getRuntime().halt(HALTED);
    }
  }

  private static String frames(Throwable failure) {
    StackTraceElement[] stack = failure.getStackTrace();
    return java.util.Arrays.stream(stack)
        .limit(MAX_FRAMES)
        .map(frame -> "  at " + frame + "\n")
        .collect(Collectors.joining());
  }

  private void write(String text) throws IOException {
    Files.deleteIfExists(file);
    Files.createFile(
        file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(file, text, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
  }

  /**
   * Tells the log how the engine before ended, when that was not in order.
   *
   * @throws IOException when the state directory cannot be changed
   */
  void report(LogRing log) throws IOException {
    if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
      log.warning("the engine before this one halted by itself; " + keep(file) + " says why");
    } else if (Files.exists(crashFile, LinkOption.NOFOLLOW_LINKS)) {
      log.warning("the engine before this one crashed; " + keep(crashFile) + " says where");
    } else if (Files.exists(directories.pidFile(), LinkOption.NOFOLLOW_LINKS)) {
      String pid = Files.readString(directories.pidFile()).strip();
      log.warning(
          "the engine before this one, process "
              + pid
              + ", was killed or died; "
              + directories.daemonLog()
              + " may say why");
    }
  }

  /** Makes room for the next one; returns where it is now. */
  private static Path keep(Path file) throws IOException {
    Path kept = file.resolveSibling(file.getFileName() + ".reported");
    return Files.move(
        file, kept, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
