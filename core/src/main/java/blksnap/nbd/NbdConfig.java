package blksnap.nbd;

import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where the server listens.
 *
 * @param unixSocket path of the socket to create, in a directory only we may enter; nothing may
 *     stand there
 * @param tcp an address on loopback; port 0 takes a free one
 */
public record NbdConfig(
    Optional<Path> unixSocket, Optional<InetSocketAddress> tcp, NbdLimits limits) {
  public NbdConfig {
    if (unixSocket.isEmpty() && tcp.isEmpty()) {
      throw new IllegalArgumentException("neither a unix socket nor a TCP address to listen on");
    }
  }

  /** A unix socket only, and the default limits. */
  public static NbdConfig unix(Path socket) {
    return new NbdConfig(Optional.of(socket), Optional.empty(), NbdLimits.DEFAULT);
  }

  /** The same places, other limits. */
  public NbdConfig with(NbdLimits other) {
    return new NbdConfig(unixSocket, tcp, other);
  }
}
