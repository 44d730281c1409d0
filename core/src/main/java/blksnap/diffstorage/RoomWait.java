package blksnap.diffstorage;

import java.util.concurrent.locks.Condition;

/** How a thread waits for room; the machine's own time, where there is no other. */
public interface RoomWait {
  /**
   * As {@link Condition#awaitNanos}: waits until there may be room, but at most so long; the lock
   * of the condition is held before and after.
   *
   * @return nanoseconds left to wait; not positive when the time is over
   */
  long await(Condition moreRoom, long nanos) throws InterruptedException;
}
