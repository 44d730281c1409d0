package blksnap.nbd;

import blksnap.device.BlockDevice;
import blksnap.device.BlockDevice.Extent;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** {@code base:allocation}: which parts of a device are holes. */
record AllocationContext(BlockDevice device) implements MetaContext {
  static final String NAME = "base:allocation";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public List<Run> status(long offset, long length, int maxRuns) throws IOException {
    var runs = new ArrayList<Run>();
    for (Extent extent : device.allocation(offset, length, maxRuns)) {
      runs.add(
          new Run(
              extent.length(),
              extent.hole() ? NbdProtocol.STATE_HOLE_AND_ZERO : NbdProtocol.STATE_DATA));
    }
    return runs;
  }
}
