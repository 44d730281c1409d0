package blksnap.testing;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A real block device over a file, for root. Closing it detaches it. */
public final class LoopDevice implements Closeable {
  private static final String NEED = "loop devices need root, losetup and /dev/loop-control";

  private final Path path;

  private LoopDevice(Path path) {
    this.path = path;
  }

  /** Skips or fails the test where there are no loop devices. */
  public static void require() {
    RealClients.require(available(), NEED);
  }

  /** Whether there are loop devices; for a test that can do with files instead. */
  public static boolean preferred() {
    return RealClients.prefer(available(), NEED);
  }

  private static boolean available() {
    return Files.isWritable(Path.of("/dev/loop-control")) && Commands.works("losetup", "--version");
  }

  /**
   * @param sectorBytes the logical block size
   * @param options more options of losetup
   */
  public static LoopDevice attach(Path file, int sectorBytes, String... options)
      throws IOException {
    var command = new ArrayList<>(List.of("losetup", "--find", "--show"));
    command.add("--sector-size=" + sectorBytes);
    command.addAll(List.of(options));
    command.add(file.toString());
    return new LoopDevice(Path.of(Commands.run(command.toArray(String[]::new))));
  }

  public Path path() {
    return path;
  }

  @Override
  public void close() throws IOException {
    Commands.run("losetup", "--detach", path.toString());
  }
}
