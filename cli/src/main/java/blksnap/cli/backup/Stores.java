package blksnap.cli.backup;

import blksnap.backup.BackupStore;
import blksnap.backup.DevicePoints;
import blksnap.backup.DirectoryStore;
import blksnap.backup.Manifest;
import blksnap.backup.ObjectBackups;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Directories;
import blksnap.cli.command.Environment;
import blksnap.cli.s3.S3Connection;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Finds what words on a command line mean: places of backups, and points in them. */
final class Stores {
  private static final Pattern SCHEME = Pattern.compile("[a-z][a-z0-9+]+://.*");
  private static final String S3 = "s3://";

  /** Records of files that are on their way to an object store. */
  private static final String UPLOADS = "uploads";

  private static final Pattern POINT_FILE =
      Pattern.compile("(\\d{8}T\\d{6}Z(?:-\\d+)?)(?:\\.(?:json|qcow2|raw))?");

  private Stores() {}

  /** A point on a command line. */
  record Chosen(BackupStore store, DevicePoints points, Manifest point) implements Closeable {
    @Override
    public void close() throws IOException {
      store.close();
    }
  }

  /**
   * Opens a directory, or a place in an object store.
   *
   * @throws BlkSnapException {@code ENOTSUP} when it is the URI of something else
   */
  static BackupStore open(String place, CommandContext context) throws BlkSnapException {
    if (place.startsWith(S3)) {
      return openS3(place, context);
    }
    if (SCHEME.matcher(place).matches()) {
      throw new BlkSnapException(
          Errno.ENOTSUP,
          "backups are kept in directories and at s3://BUCKET/PREFIX, and "
              + place
              + " is neither");
    }
    return new DirectoryStore(context.environment().absolute(Path.of(place)).normalize());
  }

  private static BackupStore openS3(String place, CommandContext context) throws BlkSnapException {
    Environment environment = context.environment();
    try {
      return new ObjectBackups(
          S3Connection.open(place, environment.variables()),
          environment.absolute(Path.of(environment.variable("TMPDIR").orElse("/var/tmp"))),
          Directories.state(context.options(), environment).resolve(UPLOADS));
    } catch (NoClassDefFoundError e) {
      throw new BlkSnapException(
              Errno.ENOTSUP, "the libraries for S3 are not on the class path: " + e, e)
          .withHint("cli/bin/blksnap puts them there when a word of the line begins with s3://");
    }
  }

  /** Without a slash at its end; that of a directory absolute. */
  private static String full(String text, CommandContext context) {
    String path = text.endsWith("/") ? text.substring(0, text.length() - 1) : text;
    return path.startsWith(S3)
        ? path
        : context.environment().absolute(Path.of(path)).normalize().toString();
  }

  /**
   * Opens {@code PLACE/DEVICE/POINT}, where the point's name may be that of a file of it, or {@code
   * PLACE/DEVICE} for the latest one.
   */
  static Chosen choose(String text, CommandContext context) throws IOException {
    String path = full(text, context);
    int slash = path.lastIndexOf('/');
    Matcher last = POINT_FILE.matcher(path.substring(slash + 1));
    String name = last.matches() ? last.group(1) : "";
    String device = name.isEmpty() ? path : path.substring(0, slash);
    int above = device.lastIndexOf('/');
    if (above <= 0 || (path.startsWith(S3) && above < S3.length())) {
      throw notAPoint(text);
    }
    BackupStore store = open(device.substring(0, above), context);
    try {
      DevicePoints points = DevicePoints.load(store, device.substring(above + 1));
      if (points.all().isEmpty() && points.damaged().isEmpty()) {
        throw notAPoint(text);
      }
      return new Chosen(store, points, points.find(name));
    } catch (IOException | RuntimeException e) {
      store.close();
      throw e;
    }
  }

  private static BlkSnapException notAPoint(String text) {
    return new BlkSnapException(Errno.ENOENT, "there are no backups of a device at " + text)
        .withHint("write DIR/DEVICE/POINT, or DIR/DEVICE for its latest; 'backups DIR' lists them");
  }

  /** Whether a path is a device's place rather than a place of several. */
  static boolean isPoint(String text, CommandContext context) {
    if (text.startsWith(S3)) {
      String path = full(text, context);
      return POINT_FILE.matcher(path.substring(path.lastIndexOf('/') + 1)).matches();
    }
    Path path = context.environment().absolute(Path.of(text));
    return POINT_FILE.matcher(String.valueOf(path.getFileName())).matches()
        || Files.isRegularFile(path);
  }
}
