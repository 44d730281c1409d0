package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.nbd.NbdRights.Rule;
import blksnap.testing.Commands;
import blksnap.testing.RealClients;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NbdCertificatesTest {
  @TempDir private Path directory;

  @Test
  void findsTheOneCommonNameOfASubject() {
    assertThat(NbdCertificates.commonName("CN=alice,O=x")).contains("alice");
    assertThat(NbdCertificates.commonName("OU=a+CN=bob,C=DE")).contains("bob");
    assertThat(NbdCertificates.commonName("CN=a\\,b\\+c\\=d")).contains("a,b+c=d");
  }

  @Test
  void takesNoNameFromAnotherPartOfTheSubject() {
    assertThat(NbdCertificates.commonName("O=x\\,CN=alice")).isEmpty();
    assertThat(NbdCertificates.commonName("O=CN=alice")).isEmpty();
    assertThat(NbdCertificates.commonName("XCN=alice")).isEmpty();
    assertThat(NbdCertificates.commonName("")).isEmpty();
  }

  @Test
  void takesNoNameThatIsDoubtful() {
    assertThat(NbdCertificates.commonName("CN=alice,CN=bob")).isEmpty();
    assertThat(NbdCertificates.commonName("CN=#0c05616c696365")).isEmpty();
  }

  @Test
  void matchesNamesWithStars() {
    assertThat(new Rule("*", false).matches("")).isTrue();
    assertThat(new Rule("vm*", false).matches("vm1")).isTrue();
    assertThat(new Rule("vm*@*", false).matches("vm1@monday")).isTrue();
    assertThat(new Rule("*a*b", false).matches("xaybaab")).isTrue();
    assertThat(new Rule("vm*", false).matches("xvm1")).isFalse();
    assertThat(new Rule("vm", false).matches("vm1")).isFalse();
    assertThat(new Rule("vm1", false).matches("vm")).isFalse();
    assertThat(new Rule("", false).matches("vm")).isFalse();
    assertThat(new Rule("a*b", false).matches("ab")).isTrue();
    assertThat(new Rule("a*b", false).matches("a")).isFalse();
  }

  /** As certtool writes them, and older openssl. */
  @Test
  void readsKeysInTheirOlderForms() throws IOException {
    RealClients.require(Commands.works("openssl", "version"), "openssl is not installed");
    Path ec = directory.resolve("ec.pem");
    Commands.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", ec.toString());
    assertThat(Files.readString(ec)).contains("BEGIN EC PRIVATE KEY");
    assertThat(Pem.privateKey(ec).getAlgorithm()).isEqualTo("EC");
    Path rsa = directory.resolve("rsa.pem");
    Commands.run("openssl", "genrsa", "-traditional", "-out", rsa.toString(), "2048");
    assertThat(Files.readString(rsa)).contains("BEGIN RSA PRIVATE KEY");
    assertThat(Pem.privateKey(rsa).getAlgorithm()).isEqualTo("RSA");
    Path edwards = directory.resolve("ed.pem");
    Commands.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", edwards.toString());
    PrivateKey key = Pem.privateKey(edwards);
    assertThat(key.getAlgorithm()).isEqualTo("EdDSA");
  }
}
