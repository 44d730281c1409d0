package blksnap.diffstorage;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.JJJ_Result;

/** Two writers ask for a block each. The result is the blocks, and how many count as in use. */
@JCStressTest
@Outcome(id = "1, 2, 2", expect = Expect.ACCEPTABLE, desc = "a block each")
@Outcome(id = "2, 1, 2", expect = Expect.ACCEPTABLE, desc = "a block each")
@Outcome(expect = Expect.FORBIDDEN, desc = "one block for two, or a wrong count")
@State
public class AllocateTwice {
  private final DiffStorage storage = SharedRange.storage();

  @Actor
  public void first(JJJ_Result result) {
    result.r1 = SharedRange.allocate(storage);
  }

  @Actor
  public void second(JJJ_Result result) {
    result.r2 = SharedRange.allocate(storage);
  }

  @Arbiter
  public void end(JJJ_Result result) {
    result.r3 = storage.space().filled() >>> Location.BLOCK_SHIFT;
  }
}
