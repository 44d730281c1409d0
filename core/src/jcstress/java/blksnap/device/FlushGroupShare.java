package blksnap.device;

import blksnap.error.BlkSnapException;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Two writers flush at once and share syncs: what each wrote before its flush is durable after it,
 * whoever ran the sync. A sync that was running already does not count.
 */
@JCStressTest
@Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "each write is durable")
@Outcome(expect = Expect.FORBIDDEN, desc = "a flush was answered by a sync that began before it")
@State
public class FlushGroupShare {
  private final FlushGroup group = new FlushGroup(this::sync, this::sync);
  private volatile int firstWritten;
  private volatile int secondWritten;
  private volatile int firstDurable;
  private volatile int secondDurable;

  /** Only what was written when it began. */
  private void sync() {
    int first = firstWritten;
    int second = secondWritten;
    firstDurable = Math.max(firstDurable, first);
    secondDurable = Math.max(secondDurable, second);
  }

  private void flush() {
    try {
      group.flush();
    } catch (BlkSnapException e) {
      throw new IllegalStateException(e);
    }
  }

  @Actor
  public void first(II_Result result) {
    firstWritten = 1;
    flush();
    result.r1 = firstDurable;
  }

  @Actor
  public void second(II_Result result) {
    secondWritten = 1;
    flush();
    result.r2 = secondDurable;
  }
}
