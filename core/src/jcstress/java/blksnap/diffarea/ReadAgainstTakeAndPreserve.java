package blksnap.diffarea;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/**
 * An image is read while a newer snapshot of its device is taken and the block is overwritten: the
 * old block is then held by an area that was not there when the read began.
 */
@JCStressTest
@Outcome(id = "0", expect = Expect.ACCEPTABLE, desc = "the old block")
@Outcome(expect = Expect.FORBIDDEN, desc = "new data passed off as old")
@State
public class ReadAgainstTakeAndPreserve {
  private final OneBlock device = new OneBlock();
  private final AreaChain chain = new AreaChain(device);
  private final DiffArea area = OneBlock.area(1);
  private final DiffArea newer = OneBlock.area(2);

  public ReadAgainstTakeAndPreserve() {
    chain.add(area);
  }

  @Actor
  public void takerAndWriter() {
    chain.add(newer);
    device.overwrite(chain, (byte) 1);
  }

  @Actor
  public void reader(I_Result result) {
    result.r1 = OneBlock.image(chain, area);
  }
}
