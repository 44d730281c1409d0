package blksnap.cli.output;

import blksnap.ctrl.CtrlRequest;

/** The form of {@code --on-full}: {@code break}, {@code wait} or {@code wait:SECONDS}. */
public final class OnFullText {
  public static final String BREAK = "break";
  public static final String WAIT = "wait";

  private OnFullText() {}

  public static String of(CtrlRequest.OnFull onFull) {
    if (!onFull.waits()) {
      return BREAK;
    }
    return WAIT + onFull.waitSeconds().map(seconds -> ":" + seconds).orElse("");
  }
}
