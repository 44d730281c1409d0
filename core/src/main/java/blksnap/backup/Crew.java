package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Threads that work on the parts of a disk, handed out from its start to its end. The first failure
 * stops all of them and is thrown to whoever waits.
 *
 * @param <P> a part
 */
final class Crew<P extends Crew.Part> {
  /** How often whoever waits looks how far the work is. */
  private static final long LOOK_MILLIS = 200;

  /** A part of the disk. */
  interface Part {
    long firstCluster();
  }

  /** Where the parts come from; asked by one thread at a time. */
  @FunctionalInterface
  interface Source<P> {
    /** The next part, of higher clusters than those before; empty when there are no more. */
    Optional<P> next() throws IOException;
  }

  /** Works on parts, in one thread. */
  interface Worker<P> extends Closeable {
    void work(P part) throws IOException;
  }

  /** Makes a worker for each thread. */
  @FunctionalInterface
  interface Hiring<P> {
    Worker<P> hire() throws IOException;
  }

  /** Hears of every part that is done. */
  @FunctionalInterface
  interface Watermark {
    /** All clusters before this one are done; called by one thread at a time. */
    void doneBelow(long cluster) throws IOException;
  }

  /** Looks on while the crew works; its failure is one of the work. */
  @FunctionalInterface
  interface Onlooker {
    void look() throws IOException;
  }

  private final Source<P> source;
  private final Hiring<P> hiring;
  private final Watermark watermark;
  private final BooleanSupplier cancelled;

  /** Held to take a part: the source may wait for a disk meanwhile. */
  private final Lock sourceLock = new ReentrantLock();

  /** Held to tell of parts that are done. */
  private final Lock watermarkLock = new ReentrantLock();

  /** Guards all below, never held across I/O. */
  private final Lock lock = new ReentrantLock();

  private final Condition changed = lock.newCondition();

  @GuardedBy("lock")
  private final TreeMap<Long, P> underWay = new TreeMap<>();

  @GuardedBy("lock")
  private long handedOut;

  @GuardedBy("lock")
  private int working;

  @GuardedBy("lock")
  private @Nullable Throwable failure;

  /** The onlooker has failed; the calling thread's. */
  private boolean blind;

  Crew(Source<P> source, Hiring<P> hiring, Watermark watermark, BooleanSupplier cancelled) {
    this.source = source;
    this.hiring = hiring;
    this.watermark = watermark;
    this.cancelled = cancelled;
  }

  /**
   * Works on all parts; returns when every thread has ended.
   *
   * @param name of the threads
   * @param threads how many
   * @param onlooker is called now and then by the calling thread
   * @throws BlkSnapException {@code ECANCELED} when the work was given up; else the first failure
   */
  void run(String name, int threads, Onlooker onlooker) throws IOException {
    List<Thread> all = new ArrayList<>();
    lock.lock();
    try {
      working = threads;
    } finally {
      lock.unlock();
    }
    for (int i = 0; i < threads; i++) {
      all.add(Thread.ofPlatform().name(name + "-" + i).daemon().start(this::work));
    }
    boolean interrupted = await(onlooker);
    for (Thread thread : all) {
      interrupted |= join(thread);
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    look(onlooker);
    lock.lock();
    try {
      rethrow(failure);
    } finally {
      lock.unlock();
    }
  }

  private static boolean join(Thread thread) {
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        return interrupted;
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
  }

  /** Until all threads are done; an interrupt gives the work up. */
  private boolean await(Onlooker onlooker) {
    boolean interrupted = false;
    while (true) {
      lock.lock();
      try {
        if (working == 0) {
          return interrupted;
        }
        changed.await(LOOK_MILLIS, TimeUnit.MILLISECONDS);
      } catch (InterruptedException e) {
        interrupted = true;
        fail(canceled());
      } finally {
        lock.unlock();
      }
      look(onlooker);
    }
  }

  /** One that has failed is not asked again: a sync that did may say next time that all is well. */
  private void look(Onlooker onlooker) {
    if (blind) {
      return;
    }
    try {
      onlooker.look();
    } catch (IOException | RuntimeException e) {
      blind = true;
      fail(e);
    }
  }

  private static void rethrow(@Nullable Throwable failure) throws IOException {
    switch (failure) {
      case null -> {}
      case IOException e -> throw e;
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(failure);
    }
  }

  private static BlkSnapException canceled() {
    return new BlkSnapException(Errno.ECANCELED, "it was given up");
  }

  private void work() {
    try (Worker<P> worker = hiring.hire()) {
      for (Optional<P> part = take(); part.isPresent(); part = take()) {
        worker.work(part.get());
        done(part.get());
      }
    } catch (IOException | RuntimeException | Error e) {
      fail(e);
    } finally {
      lock.lock();
      try {
        working--;
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  private void fail(Throwable e) {
    lock.lock();
    try {
      if (failure == null) {
        failure = e;
      } else if (!failure.equals(e)) {
        failure.addSuppressed(e);
      }
    } finally {
      lock.unlock();
    }
  }

  private Optional<P> take() throws IOException {
    sourceLock.lock();
    try {
      if (hasFailed()) {
        return Optional.empty();
      }
      if (cancelled.getAsBoolean()) {
        throw canceled();
      }
      Optional<P> part = source.next();
      lock.lock();
      try {
        part.ifPresent(one -> underWay.put(one.firstCluster(), one));
        handedOut = part.isPresent() ? part.get().firstCluster() + 1 : Long.MAX_VALUE;
      } finally {
        lock.unlock();
      }
      return part;
    } finally {
      sourceLock.unlock();
    }
  }

  /** Whether what is not done yet will not be; from any thread. */
  boolean hasFailed() {
    lock.lock();
    try {
      return failure != null;
    } finally {
      lock.unlock();
    }
  }

  private void done(P part) throws IOException {
    long below;
    watermarkLock.lock();
    try {
      lock.lock();
      try {
        underWay.remove(part.firstCluster());
        below =
            underWay.isEmpty() ? Math.min(handedOut, part.firstCluster() + 1) : underWay.firstKey();
      } finally {
        lock.unlock();
      }
      watermark.doneBelow(below);
    } finally {
      watermarkLock.unlock();
    }
  }
}
