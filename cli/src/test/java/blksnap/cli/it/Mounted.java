package blksnap.cli.it;

import blksnap.testing.Commands;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A mounted file system. Closing it unmounts it. */
record Mounted(Path at) implements Closeable {
  static Mounted mount(Path device, Path at, String... options) throws IOException {
    Files.createDirectories(at);
    var command = new ArrayList<>(List.of("mount", "-t", "ext4"));
    command.addAll(List.of(options));
    command.addAll(List.of(device.toString(), at.toString()));
    Commands.run(command.toArray(String[]::new));
    return new Mounted(at);
  }

  @Override
  public void close() throws IOException {
    Commands.run("umount", at.toString());
  }
}
