package blksnap.cli.upstream;

import blksnap.eventqueue.Event;
import com.google.gson.JsonObject;

/** Events in the words of upstream. */
final class EventText {
  private EventText() {}

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
    }
  }
}
