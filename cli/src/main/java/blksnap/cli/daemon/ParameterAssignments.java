package blksnap.cli.daemon;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Parameters as they are set at load: {@code NAME=VALUE}, as words of the command line or lines of
 * a file.
 */
final class ParameterAssignments {
  /** A file larger than this is not a list of seven parameters. */
  static final long MAX_FILE_BYTES = 64 << 10;

  private final Map<Parameter, Long> values = new EnumMap<>(Parameter.class);

  /**
   * Takes the lines of a file; blank ones and those that begin with {@code #} mean nothing.
   *
   * @throws BlkSnapException with the file's name and the line's number
   */
  void addFile(Path file) throws IOException {
    if (Files.size(file) > MAX_FILE_BYTES) {
      throw new BlkSnapException(
          Errno.EFBIG, file + " has more than " + MAX_FILE_BYTES + " bytes: no list of parameters");
    }
    List<String> lines;
    try {
      lines = Files.readAllLines(file);
    } catch (CharacterCodingException e) {
      throw new BlkSnapException(Errno.EINVAL, file + " is not UTF-8 text", e);
    }
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (!line.isEmpty() && !line.startsWith("#")) {
        try {
          add(line);
        } catch (BlkSnapException e) {
          String where = file + " line " + (i + 1) + ": ";
          throw new BlkSnapException(e.errno(), where + e.sentence(), e).withHint(e.hint());
        }
      }
    }
  }

  /**
   * Takes one assignment; a later one of the same name wins.
   *
   * @throws BlkSnapException {@code EINVAL} when it is malformed or out of range, {@code ENOENT}
   *     for an unknown name
   */
  void add(String assignment) throws BlkSnapException {
    int equals = assignment.indexOf('=');
    if (equals < 0) {
      throw new BlkSnapException(
          Errno.EINVAL, "'" + assignment + "' is not of the form NAME=VALUE");
    }
    Parameter parameter = Parameter.named(assignment.substring(0, equals).strip());
    values.put(parameter, parameter.parse(assignment.substring(equals + 1)));
  }

  Map<Parameter, Long> values() {
    return Map.copyOf(values);
  }

  /** The same as words of a command line, in the order of the parameters. */
  List<String> words() {
    return values.entrySet().stream().map(e -> e.getKey().key() + "=" + e.getValue()).toList();
  }
}
