package blksnap.nbd;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Believes whom another does, and does not tell clients whom that is. A client of GnuTLS that is
 * told, and has an RSA key, finds in TLS 1.3 no signature that Java and its own list both name, and
 * shows no certificate; one that is not told shows what it has.
 */
final class UnnamedAuthorities extends X509ExtendedTrustManager {
  private static final X509Certificate[] NONE = {};

  private final X509ExtendedTrustManager judge;

  UnnamedAuthorities(X509ExtendedTrustManager judge) {
    this.judge = judge;
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return NONE;
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    judge.checkClientTrusted(chain, authType, engine);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    judge.checkClientTrusted(chain, authType, socket);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    judge.checkClientTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    judge.checkServerTrusted(chain, authType, engine);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    judge.checkServerTrusted(chain, authType, socket);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    judge.checkServerTrusted(chain, authType);
  }
}
