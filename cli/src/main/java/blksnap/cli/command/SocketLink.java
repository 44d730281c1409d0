package blksnap.cli.command;

import blksnap.ctrl.CtrlClient;
import blksnap.ctrl.CtrlHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/** The way to an engine that runs as a daemon. */
public final class SocketLink implements EngineLink {
  private final Path socket;

  /** Used by the one thread, and by another to cancel what that one asked. */
  private volatile Optional<CtrlClient> client = Optional.empty();

  private Optional<Consumer<String>> trace = Optional.empty();

  public SocketLink(Path socket) {
    this.socket = socket;
  }

  @Override
  public CtrlHandler engine() throws IOException {
    if (client.isEmpty()) {
      client =
          Optional.of(
              trace.isPresent()
                  ? CtrlClient.connect(socket, trace.get())
                  : CtrlClient.connect(socket));
    }
    return client.get();
  }

  @Override
  public void trace(Optional<Consumer<String>> wanted) throws IOException {
    if (wanted.isPresent() != trace.isPresent()) {
      close(); // a connection is traced from its beginning, or not
    }
    trace = wanted;
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
