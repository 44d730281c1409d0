package blksnap.nbdclient;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URLDecoder;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Where an export is.
 *
 * @param server a unix socket, or a host and port
 * @param export may be empty: the server's default
 */
public record NbdAddress(SocketAddress server, String export) {
  public static final int DEFAULT_PORT = 10809;

  private static final String UNIX = "nbd+unix:///";
  private static final String TCP = "nbd://";
  private static final String SOCKET = "socket=";

  /** Whether a text means an export rather than a file. */
  public static boolean isUri(String text) {
    return text.startsWith(UNIX) || text.startsWith(TCP);
  }

  /**
   * Reads {@code nbd+unix:///EXPORT?socket=PATH} or {@code nbd://HOST[:PORT]/EXPORT}.
   *
   * @throws BlkSnapException {@code EINVAL} when it is neither
   */
  public static NbdAddress parse(String uri) throws BlkSnapException {
    try {
      if (uri.startsWith(UNIX)) {
        int query = uri.indexOf('?');
        if (query > 0 && uri.startsWith(SOCKET, query + 1)) {
          Path socket = Path.of(decoded(uri.substring(query + 1 + SOCKET.length())));
          return new NbdAddress(
              UnixDomainSocketAddress.of(socket), decoded(uri.substring(UNIX.length(), query)));
        }
      } else if (uri.startsWith(TCP)) {
        String rest = uri.substring(TCP.length());
        int slash = rest.indexOf('/');
        String host = slash < 0 ? rest : rest.substring(0, slash);
        String export = slash < 0 ? "" : decoded(rest.substring(slash + 1));
        int colon = host.lastIndexOf(':');
        boolean hasPort = colon > host.lastIndexOf(']');
        int port = hasPort ? Integer.parseInt(host.substring(colon + 1)) : DEFAULT_PORT;
        String name = hasPort ? host.substring(0, colon) : host;
        return new NbdAddress(new InetSocketAddress(name, port), export);
      }
    } catch (IllegalArgumentException e) { // a bad port, path or escape
      throw bad(uri, e);
    }
    throw bad(uri, null);
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
  }

  private static BlkSnapException bad(
      String uri, @org.jspecify.annotations.Nullable Throwable cause) {
    return new BlkSnapException(Errno.EINVAL, "'" + uri + "' names no NBD export", cause)
        .withHint("write nbd+unix:///EXPORT?socket=PATH or nbd://HOST:PORT/EXPORT");
  }

  @Override
  public String toString() {
    return "export '" + export + "' of " + server;
  }
}
