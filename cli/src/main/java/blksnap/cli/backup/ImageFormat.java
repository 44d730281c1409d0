package blksnap.cli.backup;

import java.util.List;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** What the image of a backup is. */
enum ImageFormat {
  QCOW2,
  RAW;

  private static final List<String> WORDS = List.of("qcow2", "raw");

  /** For picocli. */
  static final class Converter implements ITypeConverter<ImageFormat> {
    @Override
    public ImageFormat convert(String text) {
      if (!WORDS.contains(text)) {
        throw new TypeConversionException("'" + text + "' is no format: write qcow2 or raw");
      }
      return valueOf(text.toUpperCase(Locale.ROOT));
    }
  }

  /** For help and completion. */
  static final class Candidates implements Iterable<String> {
    @Override
    public java.util.Iterator<String> iterator() {
      return WORDS.iterator();
    }
  }
}
