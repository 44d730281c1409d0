package blksnap.buffer;

import blksnap.error.BlkSnapException;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIJ_Result;

/**
 * Two threads and one buffer: one has it at a time, its content is nobody else's meanwhile, and who
 * waits is woken. The result is what each reads back of what it wrote, and what is lent in the end.
 */
@JCStressTest
@Outcome(id = "1, 2, 0", expect = Expect.ACCEPTABLE, desc = "one at a time, and all given back")
@Outcome(expect = Expect.FORBIDDEN, desc = "a buffer shared, or never given back")
@State
public class BufferPoolLimit {
  private final BufferPool pool = new BufferPool(BufferPool.ALIGNMENT, () -> 1);

  private int use(int value) {
    try (BufferPool.Lease lease = pool.take(Integer.BYTES)) {
      lease.buffer().putInt(0, value);
      return lease.buffer().getInt(0);
    } catch (BlkSnapException e) {
      throw new IllegalStateException(e);
    }
  }

  @Actor
  public void first(IIJ_Result result) {
    result.r1 = use(1);
  }

  @Actor
  public void second(IIJ_Result result) {
    result.r2 = use(2);
  }

  @Arbiter
  public void end(IIJ_Result result) {
    result.r3 = pool.lentBytes();
  }
}
