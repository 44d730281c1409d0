package blksnap.engine;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.NbdPlace;
import blksnap.nbd.NbdTls;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Where NBD is served besides the engine's own socket, and to whom; judged when it is made. */
public final class NbdOptions {
  /** Nowhere else, and no TLS. */
  public static final NbdOptions NONE = new NbdOptions(List.of(), NbdTls.NONE);

  private static final String UNIX = "unix:";
  private static final String TCP = "tcp:";
  private static final int DEFAULT_PORT = 10_809;
  private static final int MAX_PORT = 65_535;
  private static final String READ_ONLY = ":ro";

  private final List<NbdPlace> places;
  private final NbdTls tls;

  private NbdOptions(List<NbdPlace> places, NbdTls tls) {
    this.places = List.copyOf(places);
    this.tls = tls;
  }

  /** Whether clients speak TLS. */
  public enum Tls {
    OFF,
    ON,
    REQUIRED
  }

  /** TCP on a port of 127.0.0.1; 0 takes a free one. */
  public static NbdOptions loopback(int port) {
    return new NbdOptions(
        List.of(new NbdPlace.Tcp(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port))),
        NbdTls.NONE);
  }

  /**
   * Takes what a user wrote apart.
   *
   * @param listen each {@code unix:PATH}, absolute, or {@code tcp:HOST[:PORT]}
   * @param inherited descriptors of listening sockets, ours from then on
   * @param certificates absolute; needed for TLS
   * @param allow each {@code CLIENT=EXPORT[,EXPORT]...}, an export a pattern, perhaps with {@code
   *     :ro} behind it
   * @throws BlkSnapException {@code EINVAL} when something of it makes no sense
   */
  public static NbdOptions of(
      List<String> listen,
      List<Integer> inherited,
      Tls tls,
      Optional<Path> certificates,
      List<String> allow)
      throws BlkSnapException {
    var places = new ArrayList<NbdPlace>();
    for (String place : listen) {
      places.add(place(place));
    }
    inherited.forEach(descriptor -> places.add(new NbdPlace.Inherited(descriptor)));
    if (tls == Tls.OFF && (certificates.isPresent() || !allow.isEmpty())) {
      throw new BlkSnapException(Errno.EINVAL, "certificates and who is allowed need TLS")
          .withHint("--tls=on, or --tls=required");
    }
    if (tls != Tls.OFF && certificates.isEmpty()) {
      throw new BlkSnapException(Errno.EINVAL, "TLS needs a directory of certificates")
          .withHint("--tls-certificates=DIR, with ca-cert.pem, server-cert.pem and server-key.pem");
    }
    var grants = new ArrayList<NbdTls.Grant>();
    for (String text : allow) {
      addGrants(grants, text);
    }
    NbdTls.Mode mode =
        switch (tls) {
          case OFF -> NbdTls.Mode.OFF;
          case ON -> NbdTls.Mode.ON;
          case REQUIRED -> NbdTls.Mode.REQUIRED;
        };
    return new NbdOptions(places, new NbdTls(mode, certificates, grants));
  }

  private static NbdPlace place(String text) throws BlkSnapException {
    if (text.startsWith(UNIX) && text.length() > UNIX.length()) {
      return new NbdPlace.Unix(Path.of(text.substring(UNIX.length())));
    }
    if (!text.startsWith(TCP)) {
      throw new BlkSnapException(
          Errno.EINVAL, "'" + text + "' is neither unix:PATH nor tcp:HOST:PORT");
    }
    String address = text.substring(TCP.length());
    int colon = address.lastIndexOf(':');
    boolean ported = colon > address.lastIndexOf(']');
    String host = ported ? address.substring(0, colon) : address;
    int port = ported ? port(text, address.substring(colon + 1)) : DEFAULT_PORT;
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    if (host.isEmpty() || (!bracketed && host.indexOf(':') >= 0)) {
      throw new BlkSnapException(
          Errno.EINVAL, "'" + text + "' names no host; one with colons stands in brackets");
    }
    return new NbdPlace.Tcp(
        new InetSocketAddress(
            resolve(bracketed ? host.substring(1, host.length() - 1) : host), port));
  }

  private static int port(String text, String number) throws BlkSnapException {
    try {
      int port = Integer.parseInt(number);
      if (port >= 0 && port <= MAX_PORT) {
        return port;
      }
    } catch (NumberFormatException _) {
      // told below
    }
    throw new BlkSnapException(
        Errno.EINVAL, "'" + text + "' has no port from 0 to " + MAX_PORT + " at its end");
  }

  private static InetAddress resolve(String host) throws BlkSnapException {
    try {
      return InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new BlkSnapException(Errno.EINVAL, "nobody knows host '" + host + "'", e);
    }
  }

  private static void addGrants(List<NbdTls.Grant> grants, String text) throws BlkSnapException {
    int equals = text.indexOf('=');
    String client = equals < 0 ? "" : text.substring(0, equals);
    for (String export : text.substring(equals + 1).split(",", -1)) {
      boolean readOnly = export.endsWith(READ_ONLY);
      String pattern =
          readOnly ? export.substring(0, export.length() - READ_ONLY.length()) : export;
      if (client.isEmpty() || pattern.isEmpty()) {
        throw new BlkSnapException(
            Errno.EINVAL, "'" + text + "' is not of the form CLIENT=EXPORT[:ro][,EXPORT[:ro]]...");
      }
      grants.add(new NbdTls.Grant(client, pattern, readOnly));
    }
  }

  List<NbdPlace> places() {
    return places;
  }

  NbdTls tls() {
    return tls;
  }
}
