package blksnap.nbd;

import java.util.concurrent.TimeUnit;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZIZ_Result;

/**
 * A server stops while a request comes: the request is refused, or it is worked on and the server
 * waits for it. The result is whether it was begun, what is still worked on once the server has
 * waited, and whether the wait ended.
 */
@JCStressTest
@Outcome(id = "true, 0, true", expect = Expect.ACCEPTABLE, desc = "done, and waited for")
@Outcome(id = "false, 0, true", expect = Expect.ACCEPTABLE, desc = "refused")
@Outcome(expect = Expect.FORBIDDEN, desc = "a request in a device that is being closed, or a hang")
@State
public class InFlightDrain {
  private final NbdInFlight inFlight = new NbdInFlight();
  private volatile int working;

  @Actor
  public void request(ZIZ_Result result) {
    result.r1 = inFlight.begin();
    if (result.r1) {
      working = 1;
      working = 0;
      inFlight.done();
    }
  }

  @Actor
  public void stop(ZIZ_Result result) {
    inFlight.stop();
    try {
      result.r3 = inFlight.awaitDrained(System.nanoTime() + TimeUnit.SECONDS.toNanos(30));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    result.r2 = working;
  }
}
