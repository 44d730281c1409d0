package blksnap.flight;

import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * Begins events, or tells at once that nobody records. Until a recording is made in this process no
 * class of an event is initialized: the first one would bring up the whole recorder, in the middle
 * of a request.
 */
public final class Flight {
  private Flight() {}

  /** One that begins now; null while nobody records it. */
  public static @Nullable SlowIoEvent slowIo() {
    return FlightRecorder.isInitialized() ? SlowIoEvent.start() : null;
  }

  /** One that begins now; null while nobody records it. */
  public static @Nullable PreserveEvent preserve() {
    return FlightRecorder.isInitialized() ? PreserveEvent.start() : null;
  }

  /** One that begins now; null while nobody records. */
  public static @Nullable TakeEvent take() {
    return FlightRecorder.isInitialized() ? TakeEvent.start() : null;
  }

  /** Tells that diff storage comes to its end, if anybody records. */
  public static void lowSpace(String snapshot, SpaceLevel level, long secondsLeft) {
    if (FlightRecorder.isInitialized()) {
      LowSpaceEvent.tell(snapshot, level, secondsLeft);
    }
  }
}
