package blksnap.cli.backup;

import blksnap.qcow2.Compression;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** What the kinds of compression are called. */
final class CompressionWord {
  private static final List<String> WORDS =
      Arrays.stream(Compression.values())
          .map(kind -> kind.name().toLowerCase(Locale.ROOT))
          .toList();

  private CompressionWord() {}

  /** For picocli. */
  static final class Converter implements ITypeConverter<Compression> {
    @Override
    public Compression convert(String text) {
      if (!WORDS.contains(text)) {
        throw new TypeConversionException(
            "'" + text + "' is no compression: write none, deflate or zstd");
      }
      return Compression.valueOf(text.toUpperCase(Locale.ROOT));
    }
  }

  /** For help and completion. */
  static final class Candidates implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return WORDS.iterator();
    }
  }
}
