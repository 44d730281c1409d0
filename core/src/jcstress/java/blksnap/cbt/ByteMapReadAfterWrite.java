package blksnap.cbt;

import java.lang.foreign.MemorySegment;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Who has seen a write on the device, and asks for the map then, finds it marked: the mark comes
 * first.
 */
@JCStressTest
@Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "asked before")
@Outcome(id = "0, 1", expect = Expect.ACCEPTABLE, desc = "marked and not written yet")
@Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "asked after")
@Outcome(id = "1, 0", expect = Expect.FORBIDDEN, desc = "written, and missed by the map")
@State
public class ByteMapReadAfterWrite {
  private final ByteMap map =
      new ByteMap(MemorySegment.ofArray(new byte[64]), new CbtGeometry(64 * 512, 9));

  /** The device; what is between a mark and a write in the engine is at least a volatile store. */
  private volatile int device;

  @Actor
  public void writer() {
    map.stamp(33 * 512, 512, (byte) 1);
    device = 1;
  }

  @Actor
  public void reader(II_Result result) {
    result.r1 = device;
    result.r2 = map.above(0, 0, 8).ranges().size();
  }
}
