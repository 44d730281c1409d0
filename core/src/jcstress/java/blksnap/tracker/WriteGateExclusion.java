package blksnap.tracker;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/**
 * A take of two devices against a writer of both, who writes the second after the first: the
 * instant holds neither, the first, or both, and all that was written before it. The result is the
 * image of the first and of the second, and both devices in the end.
 */
@JCStressTest
@Outcome(id = "0, 0, 1, 1", expect = Expect.ACCEPTABLE, desc = "the take came first")
@Outcome(id = "1, 0, 1, 1", expect = Expect.ACCEPTABLE, desc = "it came between the writes")
@Outcome(id = "1, 1, 1, 1", expect = Expect.ACCEPTABLE, desc = "it came last")
@Outcome(expect = Expect.FORBIDDEN, desc = "a mixture of two instants")
@State
public class WriteGateExclusion {
  private final WriteGate firstGate = new WriteGate();
  private final WriteGate secondGate = new WriteGate();
  private int first;
  private int second;
  private int firstImage;
  private int secondImage;

  @Actor
  public void writer() {
    firstGate.enter();
    try {
      first = 1;
    } finally {
      firstGate.leave();
    }
    secondGate.enter();
    try {
      second = 1;
    } finally {
      secondGate.leave();
    }
  }

  @Actor
  public void taker() {
    firstGate.close();
    secondGate.close();
    try {
      firstImage = first;
      secondImage = second;
    } finally {
      secondGate.open();
      firstGate.open();
    }
  }

  @Arbiter
  public void end(IIII_Result result) {
    result.r1 = firstImage;
    result.r2 = secondImage;
    result.r3 = first;
    result.r4 = second;
  }
}
