package blksnap.cli.command;

import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlRequest.Cache;
import blksnap.ctrl.CtrlRequest.Durability;
import blksnap.log.LogRing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The constants of enums, as the lower-case words that a user types. */
public final class EnumWord {
  private EnumWord() {}

  /** The words of these constants. */
  public static List<String> words(Enum<?>[] constants) {
    return Arrays.stream(constants)
        .map(constant -> constant.name().toLowerCase(Locale.ROOT))
        .toList();
  }

  /**
   * @throws TypeConversionException that names the words there are
   */
  public static <E extends Enum<E>> E parse(String text, E[] constants) {
    for (E constant : constants) {
      if (constant.name().equalsIgnoreCase(text)) {
        return constant;
      }
    }
    throw new TypeConversionException(
        "'" + text + "' is not one of " + String.join(", ", words(constants)));
  }

  static final class ToFormat implements ITypeConverter<OutputFormat> {
    @Override
    public OutputFormat convert(String text) {
      return parse(text, OutputFormat.values());
    }
  }

  static final class ToColor implements ITypeConverter<ColorMode> {
    @Override
    public ColorMode convert(String text) {
      return parse(text, ColorMode.values());
    }
  }

  static final class ToDurability implements ITypeConverter<Durability> {
    @Override
    public Durability convert(String text) {
      return parse(text, Durability.values());
    }
  }

  static final class ToCache implements ITypeConverter<Cache> {
    @Override
    public Cache convert(String text) {
      return parse(text, Cache.values());
    }
  }

  /** What completion offers. */
  static final class Durabilities extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Durabilities() {
      super(words(Durability.values()));
    }
  }

  /** What completion offers. */
  static final class Caches extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Caches() {
      super(words(Cache.values()));
    }
  }

  static final class ToLevel implements ITypeConverter<LogRing.Level> {
    @Override
    public LogRing.Level convert(String text) {
      return parse(text, LogRing.Level.values());
    }
  }

  /** What completion offers. */
  static final class Levels extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Levels() {
      super(words(LogRing.Level.values()));
    }
  }
}
