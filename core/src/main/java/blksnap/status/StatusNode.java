package blksnap.status;

import java.util.List;

/**
 * A part of the status tree as it was at one moment; what {@code status}, {@code cat} and {@code
 * ls} print.
 */
public sealed interface StatusNode {
  /** The last part of the path; empty for the root. */
  String name();

  /** A directory with its entries in the order they are printed. */
  record Directory(String name, List<StatusNode> entries) implements StatusNode {
    public Directory {
      entries = List.copyOf(entries);
    }
  }

  /**
   * A value.
   *
   * @param value one line, without its end
   * @param writable whether {@code param set} or writing the path can change it
   */
  record Attribute(String name, String value, boolean writable) implements StatusNode {}
}
