package blksnap.diffarea;

import java.util.concurrent.locks.Lock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** Two writers of one chunk copy its block once: the second finds it held. */
@JCStressTest
@Outcome(id = "1", expect = Expect.ACCEPTABLE, desc = "one copy")
@Outcome(expect = Expect.FORBIDDEN, desc = "the block was copied twice, the second time too late")
@State
public class ChunkLocksExclusion {
  private static final ChunkLocks LOCKS = new ChunkLocks();

  private final BlockMap map = new BlockMap();
  private int copies;

  private void preserve() {
    if (map.holds(9)) {
      return;
    }
    Lock lock = LOCKS.of(9).writeLock();
    lock.lock();
    try {
      if (!map.holds(9)) {
        copies++;
        map.put(9, 90, 9);
      }
    } finally {
      lock.unlock();
    }
  }

  @Actor
  public void first() {
    preserve();
  }

  @Actor
  public void second() {
    preserve();
  }

  @Arbiter
  public void end(I_Result result) {
    result.r1 = copies;
  }
}
