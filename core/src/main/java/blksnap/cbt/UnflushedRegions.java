package blksnap.cbt;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Which regions hold data that the device may still lose at a power cut. Such data matters to
 * change maps: a take may have shown it, and a map must then say that the device no longer does.
 * Safe from many threads.
 */
final class UnflushedRegions {
  private static final int CLEAN = 0;
  private static final int DIRTY = 1;
  private static final int FIRST_FLUSH = 2;
  private static final VarHandle INTS = MethodHandles.arrayElementVarHandle(int[].class);

  /** {@link #CLEAN}, {@link #DIRTY}, or the number of the flush that is taking it along. */
  private final int[] states;

  private final AtomicInteger flushes = new AtomicInteger(FIRST_FLUSH);

  UnflushedRegions(int regions) {
    this.states = new int[regions];
  }

  /** Before a region is written, and after it: a flush in between may have missed the data. */
  void dirty(int region) {
    if ((int) INTS.getVolatile(states, region) != DIRTY) {
      INTS.setVolatile(states, region, DIRTY);
    }
  }

  boolean isClean(int region) {
    return (int) INTS.getVolatile(states, region) == CLEAN;
  }

  /** Before the device is flushed; returns the number of the flush, for {@link #end}. */
  int begin() {
    int flush = flushes.getAndUpdate(n -> n == Integer.MAX_VALUE ? FIRST_FLUSH : n + 1);
    for (int region = 0; region < states.length; region++) {
      if ((int) INTS.getVolatile(states, region) != CLEAN) {
        INTS.setVolatile(states, region, flush);
      }
    }
    return flush;
  }

  /** After it; what was written since it began stays dirty. */
  void end(int flush, boolean flushed) {
    for (int region = 0; region < states.length; region++) {
      INTS.compareAndSet(states, region, flush, flushed ? CLEAN : DIRTY);
    }
  }
}
