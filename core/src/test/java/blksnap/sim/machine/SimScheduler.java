package blksnap.sim.machine;

import java.lang.reflect.Constructor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Threads that run one at a time, on the thread that calls {@link #run}; which one goes on is a
 * choice of the seed. They are virtual threads of the JDK with an executor of ours below them, so
 * every lock and condition works as it does elsewhere. A thread gives way where it waits and where
 * it yields, and nowhere else.
 *
 * <p>Time is ours as well: {@link #await} and {@link #sleep} end by choice of the seed, and when
 * nobody else can go on. Where the JDK itself makes a thread sleep, as it does while it waits for
 * memory to be collected, everybody waits for it: when that ends is no choice of the seed.
 */
public final class SimScheduler {
  /** A life that takes more steps than this goes round in circles. */
  private static final long ENDLESS_STEPS = 1_000_000;

  /** How long nobody may be able to go on before that counts as a deadlock. */
  private static final long DEADLOCK_MILLIS = 20_000;

  /** One step in so many lets time pass. */
  private static final int STEPS_PER_TIMER = 64;

  /** Set by the thread that runs while it gives way; there is one scheduler at a time. */
  private static boolean givesWay;

  /** What happens at a time. */
  private record Timer(long atNanos, long order, Runnable action) {}

  private final SplittableRandom random;
  private final Thread.Builder.OfVirtual builder;
  private final Thread owner = Thread.currentThread();

  /** Guards the two lists: a sleep of the JDK ends on a thread of the JDK. */
  private final Object monitor = new Object();

  private final List<Runnable> runnable = new ArrayList<>();

  /** Those that sleep no more, or, since that is a race, did not come to sleep. */
  private final Deque<Runnable> awoken = new ArrayDeque<>();

  private final Map<String, Thread> living = new LinkedHashMap<>();

  /** Whose a task is. */
  private final IdentityHashMap<Runnable, Thread> threads = new IdentityHashMap<>();

  private final PriorityQueue<Timer> timers =
      new PriorityQueue<>(Comparator.comparingLong(Timer::atNanos).thenComparingLong(Timer::order));
  private @Nullable Thread starting;
  private @Nullable Runnable running;
  private boolean stopped;
  private long nowNanos;
  private long timersMade;
  private long steps;
  private long mostSteps = Long.MAX_VALUE;
  private long trace = 1;

  /** To be made by the thread that calls {@link #run}. */
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

  @SuppressWarnings("ReferenceEquality") // a task is one object
  private void execute(Runnable task) {
    Thread current = Thread.currentThread();
    synchronized (monitor) {
      if (starting != null) {
        threads.put(task, starting);
      }
      boolean byUs = current == owner || current.isVirtual();
      if (byUs && (task != running || givesWay)) {
        runnable.add(task);
      } else {
        awoken.add(task);
        monitor.notifyAll();
      }
    }
  }

  /** Lets another thread go on. */
  @SuppressWarnings("ThreadPriorityCheck") // the scheduler below is ours
  public static void giveWay() {
    givesWay = true;
    Thread.yield();
    givesWay = false;
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
    starting = thread;
    thread.start();
    starting = null;
  }

  /** Threads that have not ended. */
  public int living() {
    return living.size();
  }

  /** Equal for two schedulers that made the same choices. */
  public long trace() {
    return trace * 31 + steps;
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

  /** As {@link Condition#awaitNanos}, in our time. */
  @SuppressWarnings("WaitNotInLoop") // the caller looks again, as with any condition
  public long await(Condition condition, long nanos) throws InterruptedException {
    Thread waiting = Thread.currentThread();
    Timer timer = timer(nanos, waiting::interrupt);
    try {
      condition.await();
    } catch (InterruptedException e) {
      if (timers.contains(timer)) {
        throw e; // by somebody else
      }
    } finally {
      if (!timers.remove(timer)) {
        Thread.interrupted(); // the time was over, whether or not it was noticed
      }
    }
    return timer.atNanos - nowNanos;
  }

  /** Lets so much of our time pass. */
  public void sleep(long nanos) {
    var over = new CountDownLatch(1);
    timer(nanos, over::countDown);
    try {
      over.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Timer timer(long nanos, Runnable action) {
    var timer = new Timer(nowNanos + nanos, timersMade++, action);
    timers.add(timer);
    return timer;
  }

  private void passTime() {
    Timer next = timers.remove();
    nowNanos = next.atNanos;
    next.action.run();
  }

  /** Returns when all threads have ended, or {@link #stop} was called. */
  public void run() {
    while (!stopped && !living.isEmpty()) {
      Runnable next = next();
      while (next != null) {
        running = next;
        next.run();
        givesWay = false;
        running = null;
        steps++;
        stopped |= steps >= mostSteps;
        if (steps > ENDLESS_STEPS) {
          throw new AssertionError("nobody comes to an end: " + stacks());
        }
        next = afterSleep(next);
      }
    }
    stopped = true;
  }

  private Runnable next() {
    if (!timers.isEmpty() && random.nextInt(STEPS_PER_TIMER) == 0) {
      passTime();
    }
    synchronized (monitor) {
      while (runnable.isEmpty() && !timers.isEmpty()) {
        passTime();
      }
      long deadline = deadline();
      while (runnable.isEmpty()) {
        waitUntil(deadline);
      }
      int choice = runnable.size() == 1 ? 0 : random.nextInt(runnable.size());
      trace = trace * 31 + choice;
      return runnable.remove(choice);
    }
  }

  /** The task again, if its thread sleeps where no choice of ours is: as soon as it is awake. */
  private @Nullable Runnable afterSleep(Runnable task) {
    Thread thread = threads.get(task);
    synchronized (monitor) {
      long deadline = deadline();
      while (awoken.isEmpty() && thread != null && isAsleep(task, thread)) {
        waitUntil(deadline);
      }
      return awoken.poll();
    }
  }

  /** Neither over, nor to go on by itself, nor waiting for another one of ours. */
  @SuppressWarnings("ReferenceEquality") // a task is one object
  private boolean isAsleep(Runnable task, Thread thread) {
    for (Runnable other : runnable) {
      if (other == task) {
        return false;
      }
    }
    return switch (thread.getState()) {
      case TERMINATED -> false;
      case WAITING ->
          LockSupport.getBlocker(thread) == null; // in Object.wait, which only the JDK uses
      default -> true;
    };
  }

  private static long deadline() {
    return System.nanoTime() + DEADLOCK_MILLIS * 1_000_000;
  }

  @SuppressWarnings("WaitNotInLoop") // the callers look again
  private void waitUntil(long deadline) {
    if (System.nanoTime() >= deadline) {
      throw new AssertionError("deadlock of " + stacks());
    }
    try {
      monitor.wait(1);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
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
