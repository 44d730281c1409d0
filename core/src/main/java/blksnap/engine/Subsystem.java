package blksnap.engine;

import java.io.IOException;

/** A part of the engine that is brought up and down as a whole. */
interface Subsystem {
  String name();

  /** Brings it up; when it throws it has left nothing behind. */
  void init() throws IOException;

  /** Brings it down, all of it, even if it has to report a failure. */
  void exit() throws IOException;
}
