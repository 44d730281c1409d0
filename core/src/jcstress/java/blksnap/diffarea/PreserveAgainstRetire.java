package blksnap.diffarea;

import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * The newer of two snapshots is destroyed, and hands down, while the block is overwritten:
 * whichever area preserves it, the older image has it in the end. The result is that image and the
 * device.
 */
@JCStressTest
@Outcome(id = "0, 1", expect = Expect.ACCEPTABLE, desc = "the old block, and the new one")
@Outcome(expect = Expect.FORBIDDEN, desc = "the old block was preserved where nobody looks")
@State
public class PreserveAgainstRetire {
  private final OneBlock device = new OneBlock();
  private final AreaChain chain = new AreaChain(device);
  private final DiffArea older = OneBlock.area(1);
  private final DiffArea newer = OneBlock.area(2);
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();

  public PreserveAgainstRetire() {
    chain.add(older);
    chain.add(newer);
  }

  @Actor
  public void writer() {
    gate.readLock().lock();
    try {
      device.overwrite(chain, (byte) 1);
    } finally {
      gate.readLock().unlock();
    }
  }

  @Actor
  public void destroyer() {
    gate.writeLock().lock();
    try {
      chain.retire(newer);
    } finally {
      gate.writeLock().unlock();
    }
    chain.handDown(newer);
    gate.writeLock().lock();
    try {
      chain.unlink(newer);
    } finally {
      gate.writeLock().unlock();
    }
  }

  @Arbiter
  public void end(II_Result result) {
    result.r1 = OneBlock.image(chain, older);
    result.r2 = device.content();
  }
}
