package blksnap.cbt;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/**
 * A write against a take: the write is before it, in the frozen map with the old number, or after
 * it, in the live one with the new number. The result is the image, the frozen mark, the live mark.
 */
@JCStressTest
@Outcome(id = "0, 0, 2", expect = Expect.ACCEPTABLE, desc = "the write came after the take")
@Outcome(id = "1, 1, 1", expect = Expect.ACCEPTABLE, desc = "the write came before the take")
@Outcome(expect = Expect.FORBIDDEN, desc = "the change is in the wrong interval, or in none")
@State
public class ByteMapFreeze {
  private static final CbtGeometry GEOMETRY = new CbtGeometry(8 * 512, 9);

  private final MemorySegment live = MemorySegment.ofArray(new byte[8]);
  private final MemorySegment frozen = MemorySegment.ofArray(new byte[8]);
  private final ByteMap liveMap = new ByteMap(live, GEOMETRY);
  private final ByteMap frozenMap = new ByteMap(frozen, GEOMETRY);
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();
  private byte active = 1;
  private int device;
  private int image;

  @Actor
  public void writer() {
    gate.readLock().lock();
    try {
      liveMap.stamp(512, 512, active);
      device = 1;
    } finally {
      gate.readLock().unlock();
    }
  }

  @Actor
  public void taker() {
    gate.writeLock().lock();
    try {
      frozenMap.copyFrom(liveMap);
      image = device;
      active = 2;
    } finally {
      gate.writeLock().unlock();
    }
  }

  @Arbiter
  public void marks(III_Result result) {
    result.r1 = image;
    result.r2 = frozen.get(ValueLayout.JAVA_BYTE, 1);
    result.r3 = live.get(ValueLayout.JAVA_BYTE, 1);
  }
}
