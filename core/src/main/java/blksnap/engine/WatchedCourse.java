package blksnap.engine;

import blksnap.ctrl.CtrlProgress;
import blksnap.ctrl.CtrlWatcher;
import blksnap.device.Course;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.util.OptionalLong;

/** Tells a client how far its request is, and ends the work when the client gave up. */
final class WatchedCourse {
  private WatchedCourse() {}

  /**
   * @param what is being done, as the start of a sentence
   */
  static Course of(CtrlWatcher watcher, String what) {
    return (stage, done, total) -> {
      if (watcher.hasGivenUp()) {
        throw canceled(what);
      }
      watcher.accept(new CtrlProgress(stage, done, OptionalLong.of(total)));
    };
  }

  static BlkSnapException canceled(String what) {
    return new BlkSnapException(Errno.ECANCELED, what + " was cancelled, and nothing is changed");
  }
}
