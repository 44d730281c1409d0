package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * What commands should print: one file a command in {@code src/test/resources/golden}. {@code
 * -Dblksnap.golden=DIRECTORY} writes what they do print there.
 */
final class Golden {
  /** The forms of output. */
  static final List<String> FORMS = List.of("table", "plain", "json");

  private static final Path FILES = Path.of("src/test/resources/golden").toAbsolutePath();

  private Golden() {}

  /** What the file of a command is called. */
  static String name(String command) {
    return command.replace(' ', '-') + ".txt";
  }

  /** The files there are. */
  static List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(FILES)) {
      return files.map(file -> String.valueOf(file.getFileName())).toList();
    }
  }

  /** Checks the lines of one command and what they printed. */
  static void compare(String command, String text) throws IOException {
    String wanted = System.getProperty("blksnap.golden", "");
    if (!wanted.isEmpty()) {
      Files.writeString(Files.createDirectories(Path.of(wanted)).resolve(name(command)), text);
    }
    assertThat(FILES.resolve(name(command))).hasContent(text);
  }
}
