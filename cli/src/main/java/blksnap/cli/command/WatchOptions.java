package blksnap.cli.command;

import java.util.Map;
import java.util.Stack;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** How often something is shown again. */
public final class WatchOptions {
  @Option(
      names = {"-n", "--count"},
      paramLabel = Labels.COUNT,
      converter = Count.class,
      description = "Show it so many times, then end; without this, until interrupted.")
  long count = Long.MAX_VALUE;

  public long count() {
    return count;
  }

  /** Time between two views where none is given. */
  public static final String USUAL_SECONDS = "2";

  /** The seconds of an option stand behind "=": the next word is no part of it. */
  @SuppressWarnings("JdkObsolete") // picocli's interface
  static final class SecondsBehindSign implements IParameterPreprocessor {
    @Override
    public boolean preprocess(
        Stack<String> words, CommandSpec command, ArgSpec option, Map<String, Object> how) {
      if (" ".equals(how.get("separator"))) {
        words.push(USUAL_SECONDS);
      }
      return false;
    }
  }

  /** A whole number from 1. */
  static final class Count implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      try {
        long count = Long.parseLong(text);
        if (count > 0) {
          return count;
        }
      } catch (NumberFormatException _) {
        throw new TypeConversionException("'" + text + "' is not a whole number");
      }
      throw new TypeConversionException("'" + text + "' is not a number from 1");
    }
  }

  /** Seconds, with at most three decimals; kept in milliseconds. */
  public static final class Seconds implements ITypeConverter<Long> {
    private static final double MILLIS = 1_000;
    private static final double LONGEST = 86_400;

    @Override
    public Long convert(String text) {
      double seconds;
      try {
        seconds = Double.parseDouble(text);
      } catch (NumberFormatException _) {
        throw new TypeConversionException("'" + text + "' is not a number of seconds");
      }
      if (!(seconds >= 0.1 && seconds <= LONGEST)) {
        throw new TypeConversionException("'" + text + "' is not from 0.1 to 86400 seconds");
      }
      return Math.round(seconds * MILLIS);
    }

    static String text(long millis) {
      return millis % 1_000 == 0 ? Long.toString(millis / 1_000) : Double.toString(millis / MILLIS);
    }
  }
}
