package blksnap.cli.it;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A program that runs beside the test. Closing it ends it. */
final class Background implements Closeable {
  private static final long MOST_SECONDS = 120;

  private final List<String> command;
  private final Path output;
  private final Process process;

  private Background(List<String> command, Path output, Process process) {
    this.command = command;
    this.output = output;
    this.process = process;
  }

  /** Starts it with more variables; both of its streams go to {@code output}. */
  static Background start(Path output, Map<String, String> variables, String... command)
      throws IOException {
    var builder =
        new ProcessBuilder(command)
            .redirectInput(Path.of("/dev/null").toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().putAll(variables);
    return new Background(List.of(command), output, builder.start());
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  String output() throws IOException {
    return Files.readString(output);
  }

  /** Its exit code, once it has ended. */
  int await() throws IOException, InterruptedException {
    if (!process.waitFor(MOST_SECONDS, TimeUnit.SECONDS)) {
      throw new IOException(command + " not done after " + MOST_SECONDS + " s: " + output());
    }
    return process.exitValue();
  }

  /** What it printed, once it has ended well. */
  String awaitSuccess() throws IOException, InterruptedException {
    int code = await();
    if (code != 0) {
      throw new IOException(command + " ended with code " + code + ": " + output());
    }
    return output();
  }

  @Override
  public void close() {
    process.destroyForcibly();
    process.onExit().join();
  }
}
