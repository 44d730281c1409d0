package blksnap.engine;

import java.util.Locale;

/** Where the engine is in its life; the words are the kernel's. */
enum InitState {
  COMING,
  LIVE,
  GOING;

  String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
