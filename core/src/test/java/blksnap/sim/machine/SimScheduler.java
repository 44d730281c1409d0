package blksnap.sim.machine;

import java.lang.reflect.Constructor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Executor;

/**
 * Threads that run one at a time, on the thread that calls {@link #run}; which one goes on is a
 * choice of the seed. They are virtual threads of the JDK with an executor of ours below them, so
 * every lock and condition works as it does elsewhere. A thread gives way where it waits and where
 * it yields, and nowhere else.
 */
public final class SimScheduler {
  /** How long nobody may be able to go on before that counts as a deadlock. */
  private static final long DEADLOCK_MILLIS = 20_000;

  private final SplittableRandom random;
  private final Thread.Builder.OfVirtual builder;

  /** Guarded by itself: a timed wait ends on a thread of the JDK. */
  private final List<Runnable> runnable = new ArrayList<>();

  private final Map<String, Thread> living = new LinkedHashMap<>();
  private boolean stopped;
  private long steps;
  private long mostSteps = Long.MAX_VALUE;

  public SimScheduler(SplittableRandom random) {
    this.random = random;
    this.builder = builder(this::execute);
  }

  private static Thread.Builder.OfVirtual builder(Executor executor) {
    try {
      Constructor<?> constructor =
          Class.forName("java.lang.ThreadBuilders$VirtualThreadBuilder")
              .getDeclaredConstructor(Executor.class);
      constructor.setAccessible(true);
      return (Thread.Builder.OfVirtual) constructor.newInstance(executor);
    } catch (ReflectiveOperationException | RuntimeException e) {
      throw new IllegalStateException(
          "run with --add-opens java.base/java.lang=ALL-UNNAMED, as the build does", e);
    }
  }

  private void execute(Runnable task) {
    synchronized (runnable) {
      runnable.add(task);
      runnable.notifyAll();
    }
  }

  /** Lets another thread go on. */
  @SuppressWarnings("ThreadPriorityCheck") // the scheduler below is ours
  public static void giveWay() {
    Thread.yield();
  }

  /** What a thread does; what it throws is its own affair. */
  public void start(String name, Runnable body) {
    Thread thread =
        builder
            .name(name)
            .unstarted(() -> {
              try {
                body.run();
              } finally {
                living.remove(name);
              }
            });
    living.put(name, thread);
    thread.start();
  }

  /** Threads that have not ended. */
  public int living() {
    return living.size();
  }

  public long steps() {
    return steps;
  }

  /** {@link #stop}s after as many steps, wherever the threads are then. */
  public void stopAfter(long most) {
    mostSteps = most;
  }

  /** All threads stand still for ever, from the next time that the one which runs gives way. */
  public void stop() {
    stopped = true;
  }

  public boolean isStopped() {
    return stopped;
  }

  /** Returns when all threads have ended, or {@link #stop} was called. */
  public void run() {
    while (!stopped && !living.isEmpty()) {
      Runnable next = next();
      steps++;
      next.run();
      stopped |= steps >= mostSteps;
    }
    stopped = true;
  }

  private Runnable next() {
    synchronized (runnable) {
      long deadline = System.nanoTime() + DEADLOCK_MILLIS * 1_000_000;
      while (runnable.isEmpty()) {
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          throw new AssertionError("deadlock of " + stacks());
        }
        try {
          runnable.wait(left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new AssertionError("interrupted", e);
        }
      }
      return runnable.remove(random.nextInt(runnable.size()));
    }
  }

  private String stacks() {
    var text = new StringBuilder();
    living.forEach((name, thread) -> {
      text.append('\n').append(name);
      for (StackTraceElement frame : thread.getStackTrace()) {
        text.append("\n    ").append(frame);
      }
    });
    return text.toString();
  }
}
