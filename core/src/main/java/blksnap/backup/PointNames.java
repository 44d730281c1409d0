package blksnap.backup;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Collection;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the files of a point are called. A point is called as the moment that it shows, {@code
 * 20261122T171115Z}; a second one of the same second has {@code -2} behind it.
 */
final class PointNames {
  /** What a device may be called. */
  static final Pattern DEVICE = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

  static final String MANIFEST = ".json";
  static final String QCOW2 = ".qcow2";
  static final String RAW = ".raw";
  static final String HASHES = ".hash";
  static final String VERIFIED = ".verified";

  private static final String POINT = "\\d{8}T\\d{6}Z(?:-\\d{1,6})?";
  private static final Pattern NAME = Pattern.compile(POINT);
  private static final Pattern FILE =
      Pattern.compile(
          "(" + POINT + ")(?:\\.json|\\.qcow2|\\.raw|\\.[0-9a-f]{8}\\.hash|\\.verified)");
  private static final DateTimeFormatter FORM =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

  private PointNames() {}

  static boolean isPoint(String name) {
    return NAME.matcher(name).matches();
  }

  /** The name for a point of this moment that none of the others has. */
  static String of(Instant moment, Collection<String> taken) {
    String first = FORM.format(moment);
    String name = first;
    for (int number = 2; taken.contains(name); number++) {
      name = first + "-" + number;
    }
    return name;
  }

  /** The point that a file belongs to, if it is called as one of ours. */
  static Optional<String> pointOf(String file) {
    Matcher form = FILE.matcher(file);
    return form.matches() ? Optional.of(form.group(1)) : Optional.empty();
  }

  /** The file of hashes that goes with a data file. */
  static String hashes(String point, UUID fileId) {
    return point + "." + fileId.toString().substring(0, 8) + HASHES;
  }
}
