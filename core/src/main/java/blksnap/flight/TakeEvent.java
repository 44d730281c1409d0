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

/** A snapshot was taken, or could not be. */
@Name("blksnap.Take")
@Label("Take")
@Description("A snapshot was taken: from its preparation until it was remembered")
@Category("blksnap")
@Enabled(false)
@StackTrace(false)
public final class TakeEvent extends Event {
  @Label("Snapshot")
  @Nullable String snapshot;

  @Label("Devices")
  int devices;

  @Label("Pause")
  @Description("How long writers were held; nothing when it did not come to that")
  @Timespan(Timespan.NANOSECONDS)
  long pause;

  @Label("Taken")
  boolean taken;

  private TakeEvent() {}

  /** One that begins now. */
  static TakeEvent start() {
    var event = new TakeEvent();
    event.begin();
    return event;
  }

  /** Ends it. */
  public void finish(String snapshot, int devices, long pauseNanos, boolean taken) {
    if (shouldCommit()) {
      this.snapshot = snapshot;
      this.devices = devices;
      this.pause = pauseNanos;
      this.taken = taken;
      commit();
    }
  }
}
