package blksnap.diffarea;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/**
 * Two blocks of one group are put while both are looked for: each is absent or there whole, with
 * its own location and checksum, though putting the second moves the entry of the first. The blocks
 * are held at 30 and 70 with checksums 3 and 7; -2 is absent.
 */
@JCStressTest
@Outcome(id = "-2, 0, -2, 0", expect = Expect.ACCEPTABLE, desc = "neither is there yet")
@Outcome(id = "-2, 0, 70, 7", expect = Expect.ACCEPTABLE, desc = "the one put first is")
@Outcome(id = "30, 3, 70, 7", expect = Expect.ACCEPTABLE, desc = "both are")
@Outcome(expect = Expect.FORBIDDEN, desc = "a block with another one's place or checksum")
@State
public class BlockMapPutAndFind {
  private final BlockMap map = new BlockMap();

  @Actor
  public void putter() {
    map.put(7, 70, 7);
    map.put(3, 30, 3);
  }

  @Actor
  public void finder(IIII_Result result) {
    long[] locations = {BlockMap.ABSENT, BlockMap.ABSENT, -3, -3, BlockMap.ABSENT};
    int[] checksums = new int[5];
    map.find(3, 5, locations, checksums, 0);
    result.r1 = (int) locations[0];
    result.r2 = checksums[0];
    result.r3 = (int) locations[4];
    result.r4 = checksums[4];
  }
}
