package blksnap.testing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Runs a program to its end. */
public final class Commands {
  private Commands() {}

  /** What it printed, both streams, stripped; throws with that text when it failed. */
  public static String run(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output;
    try (var stream = process.getInputStream()) {
      output = new String(stream.readAllBytes(), StandardCharsets.UTF_8).strip();
    }
    try {
      if (process.waitFor() != 0) {
        throw new IOException(List.of(command) + " failed: " + output);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(List.of(command) + " was interrupted", e);
    }
    return output;
  }

  /** Whether it can be run and succeeds. */
  public static boolean works(String... command) {
    try {
      run(command);
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
