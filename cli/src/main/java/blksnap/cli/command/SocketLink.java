package blksnap.cli.command;

import blksnap.ctrl.CtrlClient;
import blksnap.ctrl.CtrlHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** The way to an engine that runs as a daemon. */
public final class SocketLink implements EngineLink {
  private final Path socket;

  /** Used by the one thread, and by another to cancel what that one asked. */
  private volatile Optional<CtrlClient> client = Optional.empty();

  public SocketLink(Path socket) {
    this.socket = socket;
  }

  @Override
  public CtrlHandler engine() throws IOException {
    if (client.isEmpty()) {
      client = Optional.of(CtrlClient.connect(socket));
    }
    return client.get();
  }

  @Override
  public boolean cancel() throws IOException {
    Optional<CtrlClient> asked = client;
    return asked.isPresent() && asked.get().cancel();
  }

  @Override
  public void close() throws IOException {
    Optional<CtrlClient> closing = client;
    client = Optional.empty();
    if (closing.isPresent()) {
      closing.get().close();
    }
  }
}
