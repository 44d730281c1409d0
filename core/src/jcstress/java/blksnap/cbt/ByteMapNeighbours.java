package blksnap.cbt;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/** Marks of blocks beside each other, made at once: a byte is stored alone, so none is lost. */
@JCStressTest
@Outcome(id = "7, 7, 7, 7", expect = Expect.ACCEPTABLE, desc = "every mark is there")
@Outcome(expect = Expect.FORBIDDEN, desc = "a store took its neighbour's mark away")
@State
public class ByteMapNeighbours {
  private final MemorySegment bytes = MemorySegment.ofArray(new byte[8]);
  private final ByteMap map = new ByteMap(bytes, new CbtGeometry(8 * 512, 9));

  @Actor
  public void even() {
    map.stamp(0, 512, (byte) 7);
    map.stamp(2 * 512, 512, (byte) 7);
  }

  @Actor
  public void odd() {
    map.stamp(512, 512, (byte) 7);
    map.stamp(3 * 512, 512, (byte) 7);
  }

  @Arbiter
  public void marks(IIII_Result result) {
    result.r1 = bytes.get(ValueLayout.JAVA_BYTE, 0);
    result.r2 = bytes.get(ValueLayout.JAVA_BYTE, 1);
    result.r3 = bytes.get(ValueLayout.JAVA_BYTE, 2);
    result.r4 = bytes.get(ValueLayout.JAVA_BYTE, 3);
  }
}
