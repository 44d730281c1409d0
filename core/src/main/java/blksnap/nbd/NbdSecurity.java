package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLEngine;

/**
 * What one server knows of encryption, and how many connections each client that can be told from
 * others has. Safe from many threads.
 */
final class NbdSecurity {
  private final NbdTls tls;
  private final Optional<NbdCertificates> certificates;
  private final int mostPerClient;
  private final Map<String, Integer> connections = new ConcurrentHashMap<>();

  NbdSecurity(NbdTls tls, Optional<NbdCertificates> certificates, int mostPerClient) {
    this.tls = tls;
    this.certificates = certificates;
    this.mostPerClient = mostPerClient;
  }

  /** For a connection that was promised TLS. */
  SSLEngine engine() {
    return certificates.orElseThrow().engine();
  }

  NbdTls tls() {
    return tls;
  }

  /**
   * One more connection of a client.
   *
   * @throws BlkSnapException {@code EBUSY} when it has as many as it may
   */
  void enter(String client) throws BlkSnapException {
    int count = connections.merge(client, 1, Integer::sum);
    if (count > mostPerClient) {
      leave(client);
      throw new BlkSnapException(
          Errno.EBUSY, client + " has " + mostPerClient + " connections already");
    }
  }

  /** After {@link #enter}, when the connection is over. */
  void leave(String client) {
    connections.computeIfPresent(client, (_, count) -> count > 1 ? count - 1 : null);
  }
}
