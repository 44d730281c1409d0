package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.security.auth.x500.X500Principal;

/**
 * Who we are, and whom we believe: TLS 1.3 and 1.2, and a client has to have a certificate of our
 * authority.
 */
final class NbdCertificates {
  /** As QEMU names them. */
  static final String AUTHORITY = "ca-cert.pem";

  static final String CERTIFICATE = "server-cert.pem";
  static final String KEY = "server-key.pem";

  private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};
  private static final char[] NO_PASSWORD = new char[0];

  private final SSLContext context;

  private NbdCertificates(SSLContext context) {
    this.context = context;
  }

  /**
   * Reads the three files of a directory.
   *
   * @throws BlkSnapException {@code ENOENT} when one is missing, {@code EINVAL} when they are not
   *     what they should be, or do not belong together
   */
  static NbdCertificates load(Path directory) throws IOException {
    List<X509Certificate> authorities = Pem.certificates(directory.resolve(AUTHORITY));
    List<X509Certificate> chain = Pem.certificates(directory.resolve(CERTIFICATE));
    PrivateKey key = Pem.privateKey(directory.resolve(KEY));
    try {
      requirePair(directory, key, chain.getFirst());
      KeyStore own = KeyStore.getInstance("PKCS12");
      own.load(null, NO_PASSWORD);
      own.setKeyEntry("server", key, NO_PASSWORD, chain.toArray(Certificate[]::new));
      KeyStore trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, NO_PASSWORD);
      for (int i = 0; i < authorities.size(); i++) {
        trusted.setCertificateEntry("ca" + i, authorities.get(i));
      }
      KeyManagerFactory keys =
          KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(own, NO_PASSWORD);
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(trusted);
      SSLContext context = SSLContext.getInstance("TLS");
      TrustManager[] judges = {
        new UnnamedAuthorities((X509ExtendedTrustManager) trust.getTrustManagers()[0])
      };
      context.init(keys.getKeyManagers(), judges, null);
      return new NbdCertificates(context);
    } catch (GeneralSecurityException e) {
      throw new BlkSnapException(
          Errno.EINVAL, "the certificates in " + directory + " can not be used: " + e, e);
    }
  }

  /** Signs something with the key, and lets the certificate judge. */
  private static void requirePair(Path directory, PrivateKey key, X509Certificate certificate)
      throws GeneralSecurityException, BlkSnapException {
    boolean pair = key.getAlgorithm().equals(certificate.getPublicKey().getAlgorithm());
    if (pair) {
      String algorithm =
          switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> key.getAlgorithm();
          };
      byte[] text = certificate.getTBSCertificate();
      Signature signature = Signature.getInstance(algorithm);
      signature.initSign(key);
      signature.update(text);
      byte[] signed = signature.sign();
      signature.initVerify(certificate.getPublicKey());
      signature.update(text);
      pair = signature.verify(signed);
    }
    if (!pair) {
      throw new BlkSnapException(
          Errno.EINVAL,
          directory.resolve(KEY) + " is not the key of " + directory.resolve(CERTIFICATE));
    }
  }

  /** What speaks TLS for one connection. */
  SSLEngine engine() {
    SSLEngine engine = context.createSSLEngine();
    engine.setUseClientMode(false);
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setProtocols(PROTOCOLS);
    parameters.setNeedClientAuth(true);
    parameters.setUseCipherSuitesOrder(true);
    engine.setSSLParameters(parameters);
    return engine;
  }

  /** The common name of the client's certificate, which was verified; empty unless it has one. */
  static Optional<String> clientName(SSLSession session) throws SSLPeerUnverifiedException {
    var certificate = (X509Certificate) session.getPeerCertificates()[0];
    return commonName(certificate.getSubjectX500Principal().getName(X500Principal.RFC2253));
  }

  /**
   * The one CN of a distinguished name in the form of RFC 2253; empty for none, for several, and
   * for one that is not text. Separators inside a value are escaped there.
   */
  static Optional<String> commonName(String distinguished) {
    Optional<String> found = Optional.empty();
    for (int at = 0; at < distinguished.length(); ) {
      var part = new StringBuilder();
      boolean named = distinguished.startsWith("CN=", at);
      int equals = distinguished.indexOf('=', at);
      at = equals < 0 ? distinguished.length() : equals + 1;
      boolean hex = at < distinguished.length() && distinguished.charAt(at) == '#';
      while (at < distinguished.length()
          && distinguished.charAt(at) != ','
          && distinguished.charAt(at) != '+') {
        if (distinguished.charAt(at) == '\\' && at + 1 < distinguished.length()) {
          at++;
        }
        part.append(distinguished.charAt(at++));
      }
      at++;
      if (named && (hex || found.isPresent())) {
        return Optional.empty();
      }
      if (named) {
        found = Optional.of(part.toString());
      }
    }
    return found;
  }
}
