package blksnap.diffstorage;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/**
 * The last block of a storage is given up while its snapshot goes, and each then looks whether the
 * storage is to be removed: exactly one of them begins that.
 */
@JCStressTest
@Outcome(id = "true, false", expect = Expect.ACCEPTABLE, desc = "the snapshot went first")
@Outcome(id = "false, true", expect = Expect.ACCEPTABLE, desc = "the block went first")
@Outcome(expect = Expect.FORBIDDEN, desc = "removed twice, or never")
@State
public class LastBlockAgainstDisown {
  private final DiffStorage storage = SharedRange.storage();

  public LastBlockAgainstDisown() {
    SharedRange.allocate(storage);
  }

  @Actor
  public void releaser(ZZ_Result result) {
    storage.release(Location.of(0, 0, 1), 1);
    result.r1 = storage.beginRemoval();
  }

  @Actor
  public void destroyer(ZZ_Result result) {
    storage.disown();
    result.r2 = storage.beginRemoval();
  }
}
