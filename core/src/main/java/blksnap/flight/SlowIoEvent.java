package blksnap.flight;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;
import org.jspecify.annotations.Nullable;

/** A device or an image took long for one request of a client. */
@Name("blksnap.SlowIo")
@Label("Slow I/O")
@Description("A device or an image took long for one request of a client")
@Category("blksnap")
@Enabled(false)
@StackTrace(false)
@Threshold("20 ms")
public final class SlowIoEvent extends Event {
  /** Asked whether anybody records: an event that is made for that would be made for nothing. */
  private static final SlowIoEvent PROBE = new SlowIoEvent();

  @Label("Export")
  @Nullable String export;

  @Label("Operation")
  @Description("read, write, discard, zero, flush or allocation")
  @Nullable String operation;

  @Label("Offset")
  @DataAmount
  long offset;

  @Label("Length")
  @DataAmount
  long length;

  private SlowIoEvent() {}

  /** One that begins now; null while nobody records. */
  static @Nullable SlowIoEvent start() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new SlowIoEvent();
    event.begin();
    return event;
  }

  /** Ends it, well or not; it is kept if it took long enough. */
  public void finish(String export, String operation, long offset, long length) {
    end();
    if (shouldCommit()) {
      this.export = export;
      this.operation = operation;
      this.offset = offset;
      this.length = length;
      commit();
    }
  }
}
