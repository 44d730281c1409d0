package blksnap.diffarea;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIJ_Result;

/**
 * Two threads make the tables grow, with groups that share a table: nothing put is lost, and what
 * is counted is what is there. The result is the blocks found of each thread, and the count.
 */
@JCStressTest
@Outcome(id = "8, 8, 16", expect = Expect.ACCEPTABLE, desc = "every block is there and counted")
@Outcome(expect = Expect.FORBIDDEN, desc = "a block was lost while a table grew")
@State
public class BlockMapGrowth {
  private static final int BLOCKS = 8;

  /** Groups whose numbers are this far apart, a Fibonacci number, are mostly in one table. */
  private static final long APART = 144;

  private final BlockMap map = new BlockMap();

  private static long block(int thread, int i) {
    return (2L * i + thread) * APART << BlockMap.GROUP_SHIFT;
  }

  private void put(int thread) {
    for (int i = 0; i < BLOCKS; i++) {
      map.put(block(thread, i), 10L + i, i);
    }
  }

  private int found(int thread) {
    int found = 0;
    for (int i = 0; i < BLOCKS; i++) {
      found += map.holds(block(thread, i)) ? 1 : 0;
    }
    return found;
  }

  @Actor
  public void first() {
    put(0);
  }

  @Actor
  public void second() {
    put(1);
  }

  @Arbiter
  public void end(IIJ_Result result) {
    result.r1 = found(0);
    result.r2 = found(1);
    result.r3 = map.storedBlocks();
  }
}
