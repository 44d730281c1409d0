package blksnap.cli.command;

import blksnap.sector.SectorRange;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Sectors as a user types them, {@code SECTOR:COUNT}: both are numbers of sectors, or sizes with a
 * unit that are whole sectors, as in {@code 1M:4096s}.
 */
public final class SectorRangeConverter implements ITypeConverter<SectorRange> {
  private static final Pattern FORM = Pattern.compile("([0-9]+[a-zA-Z]*):([0-9]+[a-zA-Z]*)");

  @Override
  public SectorRange convert(String text) {
    Matcher form = FORM.matcher(text);
    if (!form.matches()) {
      throw new TypeConversionException("'" + text + "' is not of the form SECTOR:COUNT");
    }
    try {
      return new SectorRange(sectors(form.group(1)), sectors(form.group(2)));
    } catch (NumberFormatException e) {
      throw new TypeConversionException("'" + text + "' ends beyond 2^63 bytes");
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException("'" + text + "': " + e.getMessage());
    }
  }

  private static long sectors(String text) {
    if (Character.isDigit(text.charAt(text.length() - 1))) {
      return Long.parseLong(text);
    }
    long bytes = ByteSize.parse(text).bytes();
    if (bytes % SectorRange.SECTOR_BYTES != 0) {
      throw new TypeConversionException(
          "'" + text + "' is not a multiple of " + SectorRange.SECTOR_BYTES + " bytes");
    }
    return bytes / SectorRange.SECTOR_BYTES;
  }
}
