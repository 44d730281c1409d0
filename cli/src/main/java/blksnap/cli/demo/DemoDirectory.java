package blksnap.cli.demo;

import blksnap.cli.live.OnShutdown;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The directory of one run, which only its owner can enter, and everything that is open in it.
 * Closing it closes that, last opened first, and removes the directory. A signal has the thread
 * that made it interrupted, and the process stays until that thread has closed it.
 */
final class DemoDirectory implements Closeable {
  /** How long the end of the process waits for the directory to be gone. */
  private static final long GRACE_SECONDS = 20;

  private final Path path;
  private final boolean keep;
  private final Deque<Closeable> open = new ArrayDeque<>();
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Thread owner = Thread.currentThread();
  private final OnShutdown onSignal;

  private DemoDirectory(Path path, boolean keep) {
    this.path = path;
    this.keep = keep;
    this.onSignal = new OnShutdown("blksnap-demo-signal", this::end);
  }

  /**
   * @param parent where it is made
   * @param keep whether it stays when it is closed
   */
  static DemoDirectory make(Path parent, boolean keep) throws IOException {
    Path path =
        Files.createTempDirectory(
            parent,
            "blksnap-demo-",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    return new DemoDirectory(path, keep);
  }

  Path path() {
    return path;
  }

  /** Leaves something open until the directory is closed. */
  <C extends Closeable> C own(C opened) {
    open.push(opened);
    return opened;
  }

  /** Runs when a signal ends the process. */
  private void end() {
    owner.interrupt();
    try {
      closed.await(GRACE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() throws IOException {
    boolean interrupted = Thread.interrupted(); // what follows must be done all the same
    try {
      closeAll();
    } finally {
      closed.countDown();
      onSignal.close();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void closeAll() throws IOException {
    Optional<IOException> failure = Optional.empty();
    while (!open.isEmpty()) {
      try {
        open.pop().close();
      } catch (IOException e) {
        failure = Optional.of(e);
      }
    }
    if (!keep) {
      delete(path);
    }
    if (failure.isPresent()) {
      throw failure.get();
    }
  }

  /** Removes a directory with everything in it. */
  private static void delete(Path directory) throws IOException {
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e)
              throws IOException {
            if (e != null) {
              throw e;
            }
            Files.delete(folder);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
