package blksnap.diffarea;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * The newer of two snapshots, which holds the old block, is destroyed and hands it down while the
 * older image is read, twice.
 */
@JCStressTest
@Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "the old block, twice")
@Outcome(expect = Expect.FORBIDDEN, desc = "new data passed off as old")
@State
public class ReadAgainstHandDown {
  private final OneBlock device = new OneBlock();
  private final AreaChain chain = new AreaChain(device);
  private final DiffArea older = OneBlock.area(1);
  private final DiffArea newer = OneBlock.area(2);

  public ReadAgainstHandDown() {
    chain.add(older);
    chain.add(newer);
    device.overwrite(chain, (byte) 1);
  }

  @Actor
  public void destroyer() {
    chain.retire(newer);
    chain.handDown(newer);
    chain.unlink(newer);
  }

  @Actor
  public void reader(II_Result result) {
    result.r1 = OneBlock.image(chain, older);
    result.r2 = OneBlock.image(chain, older);
  }
}
