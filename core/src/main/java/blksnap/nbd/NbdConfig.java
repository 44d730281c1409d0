package blksnap.nbd;

import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Where the server listens, and how.
 *
 * @param places each listened on by a thread of its own
 */
public record NbdConfig(List<NbdPlace> places, NbdTls tls, NbdLimits limits) {
  public NbdConfig {
    places = List.copyOf(places);
    if (places.isEmpty()) {
      throw new IllegalArgumentException("nothing to listen on");
    }
  }

  /** At most one place of each kind, and no TLS. */
  public NbdConfig(Optional<Path> unixSocket, Optional<InetSocketAddress> tcp, NbdLimits limits) {
    this(places(unixSocket, tcp), NbdTls.NONE, limits);
  }

  private static List<NbdPlace> places(Optional<Path> unixSocket, Optional<InetSocketAddress> tcp) {
    var places = new ArrayList<NbdPlace>();
    unixSocket.map(NbdPlace.Unix::new).ifPresent(places::add);
    tcp.map(NbdPlace.Tcp::new).ifPresent(places::add);
    return places;
  }

  /** A unix socket only, and the default limits. */
  public static NbdConfig unix(Path socket) {
    return new NbdConfig(Optional.of(socket), Optional.empty(), NbdLimits.DEFAULT);
  }

  /** The same places, other limits. */
  public NbdConfig with(NbdLimits other) {
    return new NbdConfig(places, tls, other);
  }
}
