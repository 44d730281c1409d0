package blksnap.diffstorage;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.JJJ_Result;

/**
 * One of two blocks in use is given up while two more are asked for: it goes to one of them at
 * most. The result is the two blocks, and how many count as in use.
 */
@JCStressTest
@Outcome(id = "3, 4, 3", expect = Expect.ACCEPTABLE, desc = "two new ones")
@Outcome(id = "1, 3, 3", expect = Expect.ACCEPTABLE, desc = "the one given up, and a new one")
@Outcome(id = "3, 1, 3", expect = Expect.ACCEPTABLE, desc = "a new one, and the one given up")
@Outcome(expect = Expect.FORBIDDEN, desc = "one block for two, or a wrong count")
@State
public class ReleaseAgainstAllocate {
  private final DiffStorage storage = SharedRange.storage();

  public ReleaseAgainstAllocate() {
    SharedRange.allocate(storage);
    SharedRange.allocate(storage);
  }

  @Actor
  public void releaser() {
    storage.release(Location.of(0, 0, 1), 1);
  }

  @Actor
  public void allocator(JJJ_Result result) {
    result.r1 = SharedRange.allocate(storage);
    result.r2 = SharedRange.allocate(storage);
  }

  @Arbiter
  public void end(JJJ_Result result) {
    result.r3 = storage.space().filled() >>> Location.BLOCK_SHIFT;
  }
}
