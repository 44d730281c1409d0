package blksnap.cli.live;

import blksnap.ctrl.CtrlProgress;
import java.io.Closeable;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * Tells how far something is, if it lasts longer than {@value #PATIENCE_MILLIS} ms: a bar for a
 * person at a terminal, a line of JSON for a program, nothing for anybody else. One thread.
 */
public abstract class Progress implements Consumer<CtrlProgress>, Closeable {
  /** What is done sooner than this needs no bar. */
  static final long PATIENCE_MILLIS = 1_000;

  /** Between two drawings of the bar. */
  static final long INTERVAL_MILLIS = 100;

  /** Tells nobody. */
  public static final Progress SILENT =
      new Progress() {
        @Override
        void show(CtrlProgress progress, Map<String, Long> amounts) {}

        @Override
        public void close() {}

        @Override
        public boolean isSilent() {
          return true;
        }
      };

  /** Whether it is of no use to tell it anything. */
  public boolean isSilent() {
    return false;
  }

  public void tell(String stage, long done, long total) {
    tell(stage, done, total, Map.of());
  }

  /**
   * @param amounts bytes that something was done to so far, by a word for it, in order
   */
  public void tell(String stage, long done, long total, Map<String, Long> amounts) {
    show(new CtrlProgress(stage, done, OptionalLong.of(Math.max(done, total))), amounts);
  }

  @Override
  public void accept(CtrlProgress progress) {
    show(progress, Map.of());
  }

  abstract void show(CtrlProgress progress, Map<String, Long> amounts);

  /** Leaves no trace of a bar. */
  @Override
  public abstract void close();
}
