package blksnap.cli.demo;

import blksnap.cli.command.Environment;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Programs of the machine that the demo uses if they are there.
 *
 * @param folders where they are looked for, in this order
 */
record Programs(List<Path> folders) {
  /** Where file-system tools are, which is not on every user's search path. */
  private static final List<String> SYSTEM_FOLDERS = List.of("/usr/sbin", "/sbin");

  /**
   * How a program ended.
   *
   * @param code its exit code
   * @param output both of its streams
   */
  record Ended(int code, String output) {}

  Programs {
    folders = List.copyOf(folders);
  }

  /** Those on the user's search path, and where file-system tools are. */
  static Programs of(Environment environment) {
    String[] own = environment.variable("PATH").orElse("").split(":");
    return new Programs(
        Stream.concat(Stream.of(own), SYSTEM_FOLDERS.stream())
            .filter(folder -> folder.startsWith("/"))
            .map(Path::of)
            .toList());
  }

  Optional<Path> find(String name) {
    return folders.stream()
        .map(folder -> folder.resolve(name))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /** Runs a program in {@code directory} to its end; interrupted, the program is ended too. */
  static Ended run(Path directory, List<String> words) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(words).directory(directory.toFile()).redirectErrorStream(true).start();
    try {
      process.getOutputStream().close();
      String output =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      return new Ended(process.waitFor(), output);
    } finally {
      process.destroy();
    }
  }
}
