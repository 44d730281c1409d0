package blksnap.cli.command;

import blksnap.sector.SectorRange;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A size as a user types it: {@code 4096} bytes, {@code 8s} sectors, {@code 512M}, {@code 10G},
 * {@code 10GiB}; powers of 1024, in either case.
 *
 * @param bytes not negative
 */
public record ByteSize(long bytes) {
  private static final Pattern FORM = Pattern.compile("([0-9]+)(?:([kmgtp])(?:i?b)?|(s)|b)?");
  private static final String UNITS = "kmgtp";
  private static final int SHIFT_PER_UNIT = 10;

  /**
   * @throws TypeConversionException when the text is no size, or one of 2^63 bytes or more
   */
  public static ByteSize parse(String text) {
    Matcher form = FORM.matcher(text.toLowerCase(Locale.ROOT));
    if (!form.matches()) {
      throw new TypeConversionException(
          "'" + text + "' is not a size: write bytes, or a number with K, M, G, T or s (sectors)");
    }
    int shift = 0;
    if (form.group(2) != null) {
      shift = (UNITS.indexOf(form.group(2)) + 1) * SHIFT_PER_UNIT;
    } else if (form.group(3) != null) {
      shift = SectorRange.SECTOR_SHIFT;
    }
    try {
      return new ByteSize(Math.multiplyExact(Long.parseLong(form.group(1)), 1L << shift));
    } catch (NumberFormatException | ArithmeticException e) {
      throw new TypeConversionException("'" + text + "' is 2^63 bytes or more");
    }
  }

  /** For picocli. */
  public static final class Converter implements ITypeConverter<ByteSize> {
    @Override
    public ByteSize convert(String text) {
      return parse(text);
    }
  }
}
