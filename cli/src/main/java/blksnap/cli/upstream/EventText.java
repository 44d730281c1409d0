package blksnap.cli.upstream;

import blksnap.eventqueue.Event;
import com.google.gson.JsonObject;

/** Events in the words of upstream. */
final class EventText {
  private EventText() {}

  /** Whether upstream has such an event; its scripts do not expect others. */
  static boolean knows(Event event) {
    return switch (event) {
      case Event.LowFreeSpace _, Event.NoSpace _, Event.Corrupted _ -> true;
      case Event.FullSoon _, Event.StorageTrouble _, Event.MapAtRisk _ -> false;
    };
  }

  /** The members that upstream prints, and all that there is to tell when {@code whole}. */
  static void add(JsonObject object, Event event, boolean whole) {
    object.addProperty("event", event.code());
    switch (event) {
      case Event.LowFreeSpace(long sectors) -> object.addProperty("requested_nr_sect", sectors);
      case Event.NoSpace(long sectors) -> {
        if (whole) {
          object.addProperty("requested_nr_sect", sectors);
        }
      }
      case Event.Corrupted(String device, var errno) -> {
        if (whole) {
          object.addProperty("device", device);
          object.addProperty("error_code", errno.number());
        }
      }
      case Event.FullSoon _, Event.StorageTrouble _, Event.MapAtRisk _ ->
          throw new IllegalArgumentException(event.code() + " is no event of upstream");
    }
  }
}
