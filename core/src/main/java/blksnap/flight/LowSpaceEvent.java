package blksnap.flight;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;
import org.jspecify.annotations.Nullable;

/** Diff storage comes, or has come, to its end. */
@Name("blksnap.LowSpace")
@Label("Low Space")
@Description("The diff storage of a snapshot is low, will be full soon, or is full")
@Category("blksnap")
@Enabled(false)
@StackTrace(false)
public final class LowSpaceEvent extends Event {
  @Label("Snapshot")
  @Nullable String snapshot;

  @Label("Level")
  @Description("low, full soon or full")
  @Nullable String level;

  @Label("Seconds Left")
  @Description("At the present rate; nothing unless it is full soon")
  @Timespan(Timespan.SECONDS)
  long left;

  private LowSpaceEvent() {}

  /** Tells of it, if anybody records. */
  static void tell(String snapshot, SpaceLevel level, long secondsLeft) {
    var event = new LowSpaceEvent();
    if (event.shouldCommit()) {
      event.snapshot = snapshot;
      event.level = level.word();
      event.left = secondsLeft;
      event.commit();
    }
  }
}
