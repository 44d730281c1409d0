package blksnap.nbd;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * How clients are encrypted, and who of them may use what.
 *
 * @param certificates the directory with {@code ca-cert.pem}, {@code server-cert.pem} and {@code
 *     server-key.pem}; present unless the mode is {@link Mode#OFF}
 * @param grants what a client with a certificate may use over TCP; with none, everything
 */
public record NbdTls(Mode mode, Optional<Path> certificates, List<Grant> grants) {
  /** No TLS: only unix sockets and loopback are listened on. */
  public static final NbdTls NONE = new NbdTls(Mode.OFF, Optional.empty(), List.of());

  /** Stands for every client, and in a pattern for any characters. */
  static final String ANY = "*";

  public NbdTls {
    grants = List.copyOf(grants);
    if (certificates.isPresent() != (mode != Mode.OFF) || (mode == Mode.OFF && !grants.isEmpty())) {
      throw new IllegalArgumentException("TLS " + mode + " with certificates " + certificates);
    }
  }

  /** Whether clients have to speak TLS. */
  public enum Mode {
    /** They can not. */
    OFF,

    /** They may; only loopback and unix sockets are listened on. */
    ON,

    /** Over TCP they have to; any address may be listened on. */
    REQUIRED
  }

  /**
   * @param client the common name of its certificate, or {@code *} for every client
   * @param pattern an export's name, in which {@code *} stands for any characters
   * @param readOnly whether changes are refused
   */
  public record Grant(String client, String pattern, boolean readOnly) {}

  /** What a TCP client without a verified certificate may use. */
  NbdRights anonymous() {
    return grants.isEmpty() ? NbdRights.ALL : NbdRights.NONE;
  }

  /** What a client may use whose certificate has this common name, or none. */
  NbdRights of(Optional<String> name) {
    if (grants.isEmpty()) {
      return NbdRights.ALL;
    }
    return new NbdRights(
        grants.stream()
            .filter(grant ->
                grant.client.equals(ANY) || (name.isPresent() && grant.client.equals(name.get())))
            .map(grant -> new NbdRights.Rule(grant.pattern, grant.readOnly))
            .toList());
  }
}
