package blksnap.cli.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** The commands of ours that stand in the examples of the manual pages and of the README. */
public final class Examples {
  private static final Path TOP = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final String PROGRAM = "blksnap";

  private Examples() {}

  /**
   * A command in an example.
   *
   * @param words behind the program's name
   */
  public record Found(String file, List<String> words) {
    public Found {
      words = List.copyOf(words);
    }
  }

  /** All of them; the order of the files is that of their names. */
  public static List<Found> all() throws IOException {
    List<Found> all = new ArrayList<>();
    for (String line : joined(code("README.md"))) {
      all.addAll(commands("README.md", line));
    }
    try (Stream<Path> pages = Files.list(TOP.resolve("man"))) {
      for (Path page : pages.sorted().toList()) {
        for (String line : joined(verbatim(Files.readString(page)))) {
          all.addAll(commands(String.valueOf(page.getFileName()), line));
        }
      }
    }
    return all;
  }

  /** The lines of the code in a document, whose path counts from the top. */
  public static List<String> code(String document) throws IOException {
    List<String> lines = new ArrayList<>();
    boolean code = false;
    for (String line : Files.readAllLines(TOP.resolve(document))) {
      if (line.startsWith("```")) {
        code = !code;
      } else if (code) {
        lines.add(line);
      }
    }
    return lines;
  }

  /** What a page shows line by line. */
  private static List<String> verbatim(String page) {
    List<String> lines = new ArrayList<>();
    boolean verbatim = false;
    for (String line : page.replace("\\\n", "").lines().toList()) {
      if (line.equals(".nf") || line.equals(".fi")) {
        verbatim = line.equals(".nf");
      } else if (verbatim) {
        lines.add(
            line.replace("\\&", "")
                .replace("\\-", "-")
                .replace("\\(aq", "'")
                .replace("\\(ga", "`")
                .replace("\\(ha", "^")
                .replace("\\(ti", "~")
                .replace("\\(dq", "\"")
                .replace("\\e", "\\"));
      }
    }
    return lines;
  }

  /** Whole lines of a shell: one with a backslash at its end goes on in the next. */
  static List<String> joined(List<String> lines) {
    List<String> whole = new ArrayList<>();
    var line = new StringBuilder();
    for (String part : lines) {
      if (part.endsWith("\\")) {
        line.append(part, 0, part.length() - 1);
      } else {
        whole.add(line.append(part).toString());
        line.setLength(0);
      }
    }
    if (!line.isEmpty()) {
      throw new IllegalArgumentException("an example ends with a backslash: " + line);
    }
    return whole;
  }

  /** Our commands in a line of a shell, those in {@code $(...)} first. */
  static List<Found> commands(String file, String line) {
    List<Found> found = new ArrayList<>();
    String outer = line;
    int start = outer.indexOf("$(");
    while (start >= 0) {
      int end = outer.indexOf(')', start);
      found.addAll(commands(file, outer.substring(start + 2, end)));
      outer = outer.substring(0, start) + "X" + outer.substring(end + 1);
      start = outer.indexOf("$(");
    }
    for (List<String> words : new Splitter(outer).split()) {
      String program = words.getFirst();
      if (program.substring(program.lastIndexOf('/') + 1).equals(PROGRAM)) {
        found.add(new Found(file, words.subList(1, words.size())));
      }
    }
    return found;
  }

  /** Splits a line into simple commands, as far as our examples need it. */
  private static final class Splitter {
    private final String line;
    private final List<List<String>> commands = new ArrayList<>();
    private final StringBuilder word = new StringBuilder();
    private List<String> words = new ArrayList<>();
    private boolean quoted;
    private boolean redirected;

    Splitter(String line) {
      this.line = line;
    }

    List<List<String>> split() {
      for (int i = 0; i < line.length(); i++) {
        char c = line.charAt(i);
        if (c == '\'' || c == '"') {
          int end = line.indexOf(c, i + 1);
          word.append(line, i + 1, end);
          quoted = true;
          i = end;
        } else if (c == '#' && word.isEmpty()) {
          break;
        } else if (c == ' ') {
          endWord();
        } else if (c == '>') {
          endWord();
          redirected = true;
        } else if (c == '|' || c == ';' || c == '&') {
          endCommand();
        } else {
          word.append(c);
        }
      }
      endCommand();
      return commands;
    }

    private void endWord() {
      if (!word.isEmpty() || quoted) {
        if (redirected) {
          redirected = false;
        } else {
          words.add(word.toString());
        }
      }
      word.setLength(0);
      quoted = false;
    }

    private void endCommand() {
      endWord();
      if (!words.isEmpty()) {
        commands.add(words);
      }
      words = new ArrayList<>();
    }
  }
}
