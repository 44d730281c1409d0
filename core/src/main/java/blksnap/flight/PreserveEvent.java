package blksnap.flight;

import blksnap.error.Errno;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** A change had to wait until old blocks were kept for a snapshot. */
@Name("blksnap.Preserve")
@Label("Preserve")
@Description("Old blocks were kept for snapshots before a change overwrote them")
@Category("blksnap")
@Enabled(false)
@StackTrace(false)
public final class PreserveEvent extends Event {
  /** Asked whether anybody records. */
  private static final PreserveEvent PROBE = new PreserveEvent();

  @Label("Device")
  @Nullable String device;

  @Label("Offset")
  @Description("Of the change")
  @DataAmount
  long offset;

  @Label("Length")
  @Description("Of the change, or of the piece of it that is made at a time")
  @DataAmount
  long length;

  @Label("Preserved")
  @Description("What had to be kept, in whole blocks: copied, or noted as zeroes")
  @DataAmount
  long preserved;

  @Label("Error")
  @Description("Why old blocks were given up, which breaks snapshots; nothing when all were kept")
  @Nullable String error;

  private PreserveEvent() {}

  /** One that begins now; null while nobody records. */
  static @Nullable PreserveEvent start() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new PreserveEvent();
    event.begin();
    return event;
  }

  /**
   * Ends it.
   *
   * @param preserved bytes
   * @param cause why not all could be kept, or null
   */
  public void finish(
      String device, long offset, long length, long preserved, @Nullable Errno cause) {
    if (shouldCommit()) {
      this.device = device;
      this.offset = offset;
      this.length = length;
      this.preserved = preserved;
      this.error = cause == null ? null : cause.name();
      commit();
    }
  }
}
