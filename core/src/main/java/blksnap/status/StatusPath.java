package blksnap.status;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * A place in the status tree, always from the root: {@code //}, a {@code /} at the end, {@code .}
 * and {@code ..} are gone, and {@code ..} of the root is the root.
 *
 * @param parts names from the root down; empty for the root
 */
public record StatusPath(List<String> parts) {
  /** Characters of a path, as on Linux. */
  public static final int MAX_PATH_CHARS = 4096;

  public static final StatusPath ROOT = new StatusPath(List.of());

  public StatusPath {
    parts = List.copyOf(parts);
  }

  /**
   * The path a client sent; one without a leading {@code /} counts from the root too, and an empty
   * one is the root.
   *
   * @throws BlkSnapException {@code ENAMETOOLONG} beyond {@value #MAX_PATH_CHARS} characters
   */
  public static StatusPath of(String text) throws BlkSnapException {
    return ROOT.resolve(text);
  }

  /**
   * Where {@code text} leads from here: from the root when it begins with {@code /}.
   *
   * @throws BlkSnapException {@code ENAMETOOLONG} beyond {@value #MAX_PATH_CHARS} characters
   */
  public StatusPath resolve(String text) throws BlkSnapException {
    if (text.length() > MAX_PATH_CHARS) {
      throw new BlkSnapException(
          Errno.ENAMETOOLONG,
          "a path of " + text.length() + " characters is longer than " + MAX_PATH_CHARS);
    }
    var found = new ArrayList<String>(text.startsWith("/") ? List.of() : parts);
    for (int at = 0; at <= text.length(); ) {
      int slash = text.indexOf('/', at);
      int end = slash < 0 ? text.length() : slash;
      step(found, text.substring(at, end));
      at = end + 1;
    }
    return new StatusPath(found);
  }

  private static void step(ArrayList<String> parts, String part) {
    if (part.equals("..")) {
      if (!parts.isEmpty()) {
        parts.removeLast();
      }
    } else if (!part.isEmpty() && !part.equals(".")) {
      parts.add(part);
    }
  }

  /** The path of the first {@code count} parts. */
  StatusPath first(int count) {
    return new StatusPath(parts.subList(0, count));
  }

  /** With a leading {@code /}. */
  @Override
  public String toString() {
    return "/" + String.join("/", parts);
  }
}
