package blksnap.nbd;

import blksnap.testing.Commands;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * An authority and what it has signed, and another that nobody should believe, made by keytool:
 * "server", the clients "alice" and "bob", "expired", and "mallory" of the other authority.
 */
public final class TestCertificates {
  private static final String PASSWORD = "password";

  private final Path directory;
  private final KeyStore store;

  private TestCertificates(Path directory, KeyStore store) {
    this.directory = directory;
    this.store = store;
  }

  public static TestCertificates make(Path directory) throws IOException, GeneralSecurityException {
    Path file = directory.resolve("all.p12");
    key(file, "ca", "CN=authority", "-ext", "bc:c");
    key(file, "otherca", "CN=authority", "-ext", "bc:c");
    key(file, "server", "CN=server", "-signer", "ca", "-ext", "san=dns:localhost,ip:127.0.0.1");
    key(file, "alice", "CN=alice,O=blksnap", "-signer", "ca");
    key(file, "bob", "CN=bob,O=\"x,CN=alice\"", "-signer", "ca");
    key(file, "expired", "CN=alice", "-signer", "ca", "-startdate", "-10d", "-validity", "1");
    key(file, "mallory", "CN=alice", "-signer", "otherca");
    return load(directory, file);
  }

  /** The authority, "server" and "alice", in less time. */
  static TestCertificates makeFew(Path directory) throws IOException, GeneralSecurityException {
    Path file = directory.resolve("few.p12");
    key(file, "ca", "CN=authority", "-ext", "bc:c");
    key(file, "server", "CN=server", "-signer", "ca", "-ext", "san=dns:localhost,ip:127.0.0.1");
    key(file, "alice", "CN=alice", "-signer", "ca");
    return load(directory, file);
  }

  private static TestCertificates load(Path directory, Path file)
      throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream stream = Files.newInputStream(file)) {
      store.load(stream, PASSWORD.toCharArray());
    }
    return new TestCertificates(directory, store);
  }

  private static void key(Path file, String alias, String name, String... more) throws IOException {
    var words =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-J-XX:TieredStopAtLevel=1",
                "-genkeypair",
                "-keystore",
                file.toString(),
                "-storetype",
                "PKCS12",
                "-storepass",
                PASSWORD,
                "-keyalg",
                "RSA",
                "-keysize",
                "2048",
                "-alias",
                alias,
                "-dname",
                name));
    words.addAll(Arrays.asList(more));
    Commands.run(words.toArray(String[]::new));
  }

  /** A directory with the files that a server needs. */
  public Path serverDirectory() throws IOException, GeneralSecurityException {
    return directory("server", "server");
  }

  /** A directory with the files that a client needs, for clients of others. */
  public Path clientDirectory(String alias) throws IOException, GeneralSecurityException {
    return directory(alias, "client");
  }

  private Path directory(String alias, String role) throws IOException, GeneralSecurityException {
    Path made = Files.createDirectories(directory.resolve(alias + "-files"));
    Files.writeString(made.resolve("ca-cert.pem"), pem("CERTIFICATE", certificate("ca")));
    Files.writeString(made.resolve(role + "-cert.pem"), pem("CERTIFICATE", certificate(alias)));
    Files.writeString(made.resolve(role + "-key.pem"), pem("PRIVATE KEY", key(alias)));
    return made;
  }

  byte[] certificate(String alias) throws GeneralSecurityException {
    return store.getCertificate(alias).getEncoded();
  }

  byte[] key(String alias) throws GeneralSecurityException {
    Key key = store.getKey(alias, PASSWORD.toCharArray());
    return key.getEncoded();
  }

  static String pem(String what, byte[] bytes) {
    byte[] newline = "\n".getBytes(StandardCharsets.US_ASCII);
    return "-----BEGIN "
        + what
        + "-----\n"
        + Base64.getMimeEncoder(64, newline).encodeToString(bytes)
        + "\n-----END "
        + what
        + "-----\n";
  }

  /**
   * What a client speaks TLS with.
   *
   * @param alias whose certificate it shows; "" for none
   * @param authority whom it believes
   */
  SSLContext client(String alias, String authority) throws IOException, GeneralSecurityException {
    KeyStore own = KeyStore.getInstance("PKCS12");
    own.load(null, null);
    if (!alias.isEmpty()) {
      Key key = store.getKey(alias, PASSWORD.toCharArray());
      Certificate[] chain = {store.getCertificate(alias)};
      own.setKeyEntry("own", key, PASSWORD.toCharArray(), chain);
    }
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("ca", store.getCertificate(authority));
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(own, PASSWORD.toCharArray());
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context;
  }
}
