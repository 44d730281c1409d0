package blksnap.diffstorage;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZZ_Result;

/**
 * The last block of a storage is given up while its snapshot goes: both must be through before it
 * counts as unused, and then it does. Each looks after its own step.
 */
@JCStressTest
@Outcome(id = "true, false, true", expect = Expect.ACCEPTABLE, desc = "the snapshot went first")
@Outcome(id = "false, true, true", expect = Expect.ACCEPTABLE, desc = "the block went first")
@Outcome(id = "true, true, true", expect = Expect.ACCEPTABLE, desc = "both went, then both looked")
@Outcome(expect = Expect.FORBIDDEN, desc = "removed while in use, or never")
@State
public class LastBlockAgainstDisown {
  private final DiffStorage storage = SharedRange.storage();

  public LastBlockAgainstDisown() {
    SharedRange.allocate(storage);
  }

  @Actor
  public void releaser(ZZZ_Result result) {
    storage.release(Location.of(0, 0, 1), 1);
    result.r1 = storage.isUnused();
  }

  @Actor
  public void destroyer(ZZZ_Result result) {
    storage.disown();
    result.r2 = storage.isUnused();
  }

  @Arbiter
  public void end(ZZZ_Result result) {
    result.r3 = storage.isUnused();
  }
}
