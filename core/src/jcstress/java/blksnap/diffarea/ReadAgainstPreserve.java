package blksnap.diffarea;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** An image is read without a lock while its block is overwritten for the first time. */
@JCStressTest
@Outcome(id = "0", expect = Expect.ACCEPTABLE, desc = "the old block")
@Outcome(expect = Expect.FORBIDDEN, desc = "new data passed off as old")
@State
public class ReadAgainstPreserve {
  private final OneBlock device = new OneBlock();
  private final AreaChain chain = new AreaChain(device);
  private final DiffArea area = OneBlock.area(1);

  public ReadAgainstPreserve() {
    chain.add(area);
  }

  @Actor
  public void writer() {
    device.overwrite(chain, (byte) 1);
  }

  @Actor
  public void reader(I_Result result) {
    result.r1 = OneBlock.image(chain, area);
  }
}
