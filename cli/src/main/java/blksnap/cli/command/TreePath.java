package blksnap.cli.command;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * An absolute path of the status tree, without {@code .}, {@code ..} or a slash at the end.
 *
 * @param text {@code /} for the root
 */
public record TreePath(String text) {
  public static final TreePath ROOT = new TreePath("/");

  /**
   * The path that {@code typed} means to someone who stands here; {@code ..} of the root is the
   * root.
   */
  public TreePath resolve(String typed) {
    Deque<String> parts = new ArrayDeque<>();
    String whole = typed.startsWith("/") ? typed : text + "/" + typed;
    for (String part : whole.split("/", -1)) {
      if (part.equals("..")) {
        parts.pollLast();
      } else if (!part.isEmpty() && !part.equals(".")) {
        parts.addLast(part);
      }
    }
    return new TreePath("/" + String.join("/", parts));
  }

  public boolean isRoot() {
    return equals(ROOT);
  }
}
