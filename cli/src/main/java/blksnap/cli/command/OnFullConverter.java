package blksnap.cli.command;

import blksnap.cli.output.OnFullText;
import blksnap.ctrl.CtrlRequest.OnFull;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** {@code break}, {@code wait}, or {@code wait:SECONDS}. */
final class OnFullConverter implements ITypeConverter<OnFull> {
  private static final String WAIT_FOR = OnFullText.WAIT + ":";

  @Override
  public OnFull convert(String text) {
    if (text.equals(OnFullText.BREAK)) {
      return OnFull.BREAK;
    }
    if (text.equals(OnFullText.WAIT)) {
      return new OnFull(true, Optional.empty());
    }
    if (text.startsWith(WAIT_FOR)) {
      return new OnFull(true, Optional.of(seconds(text, text.substring(WAIT_FOR.length()))));
    }
    throw malformed(text);
  }

  private static int seconds(String whole, String text) {
    int seconds;
    try {
      seconds = Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw malformed(whole);
    }
    if (seconds <= 0) {
      throw new TypeConversionException("'" + whole + "' does not wait: SECONDS must be positive");
    }
    return seconds;
  }

  private static TypeConversionException malformed(String text) {
    return new TypeConversionException("'" + text + "' is not break, wait or wait:SECONDS");
  }

  /** What completion offers. */
  static final class Candidates extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Candidates() {
      super(List.of(OnFullText.BREAK, OnFullText.WAIT));
    }
  }
}
