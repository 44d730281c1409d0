package blksnap.cli.repl;

import java.util.Map;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/** What the words mean that an option takes, for people. Pure functions. */
final class Meanings {
  private static final Map<String, Map<String, String>> OF_OPTIONS =
      Map.ofEntries(
          Map.entry(
              "--output",
              Map.of(
                  "table", "columns for people",
                  "json", "one object, sizes in bytes",
                  "plain", "values between tabs, without a header")),
          Map.entry(
              "--color",
              Map.of(
                  "auto", "on a terminal, unless NO_COLOR is set",
                  "always", "also in a file or pipe",
                  "never", "nowhere")),
          Map.entry(
              "--cache",
              Map.of(
                  "writeback", "through the page cache",
                  "direct", "around the page cache")),
          Map.entry(
              "--durability",
              Map.of(
                  "none", "ends with the engine",
                  "process", "survives the death of the engine",
                  "power", "survives a power loss, too")),
          Map.entry(
              "--on-full",
              Map.of(
                  "break", "the image breaks, writers go on",
                  "wait", "writers wait until there is storage again")),
          Map.entry(
              "--level",
              Map.of(
                  "debug", "every line",
                  "info", "what happened, and graver lines",
                  "warning", "what may be wrong, and graver lines",
                  "error", "what failed")),
          Map.entry(
              "--sort",
              Map.of(
                  "name", "in the order of names",
                  "iops", "most requests first",
                  "read", "most bytes read first",
                  "write", "most bytes written first",
                  "latency", "slowest first",
                  "copied", "most blocks copied first",
                  "left", "least storage left first")),
          Map.entry(
              "--tls",
              Map.of(
                  "off", "without TLS",
                  "on", "with TLS for clients that ask for it",
                  "required", "over TCP with TLS alone")),
          Map.entry(
              "--compression",
              Map.of(
                  "none", "as it is",
                  "deflate", "every QEMU reads it",
                  "zstd", "smaller in less time, for QEMU 5.1 and later")),
          Map.entry(
              "--format",
              Map.of(
                  "qcow2", "full or what changed, on top of the one before",
                  "raw", "a plain sparse file, always full")));

  private Meanings() {}

  /** Empty when there is nothing to say that the word does not. */
  static String of(ArgSpec arg, String word) {
    return arg instanceof OptionSpec option
        ? OF_OPTIONS.getOrDefault(option.longestName(), Map.of()).getOrDefault(word, "")
        : "";
  }
}
