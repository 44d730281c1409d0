package blksnap.cli.command;

import blksnap.sector.SectorRange;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Sectors as a user types them, {@code SECTOR:COUNT}, both decimal. */
final class SectorRangeConverter implements ITypeConverter<SectorRange> {
  private static final Pattern FORM = Pattern.compile("([0-9]+):([0-9]+)");

  @Override
  public SectorRange convert(String text) {
    Matcher form = FORM.matcher(text);
    if (!form.matches()) {
      throw new TypeConversionException("'" + text + "' is not of the form SECTOR:COUNT");
    }
    try {
      return new SectorRange(Long.parseLong(form.group(1)), Long.parseLong(form.group(2)));
    } catch (NumberFormatException e) {
      throw new TypeConversionException("'" + text + "' ends beyond 2^63 bytes");
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException("'" + text + "': " + e.getMessage());
    }
  }
}
