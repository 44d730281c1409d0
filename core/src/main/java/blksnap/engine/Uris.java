package blksnap.engine;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** NBD URIs of exports on the unix socket. */
final class Uris {
  private Uris() {}

  /**
   * {@code nbd+unix:///vm1@snap?socket=/run/blksnap/nbd.sock}; names need no escaping, paths may.
   */
  static String of(String export, Path socket) {
    String path =
        URLEncoder.encode(socket.toString(), StandardCharsets.UTF_8)
            .replace("+", "%20")
            .replace("%2F", "/");
    return "nbd+unix:///" + export + "?socket=" + path;
  }
}
