package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and private keys in files of text, as openssl and certtool write them. */
final class Pem {
  /** Longest file; a chain of certificates has a hundredth of it. */
  private static final int MAX_BYTES = 1 << 20;

  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----");

  private static final List<String> KEY_ALGORITHMS = List.of("RSA", "EC", "EdDSA");

  private static final int SEQUENCE = 0x30;
  private static final int OCTET_STRING = 0x04;
  private static final int PARAMETERS = 0xa0;
  private static final byte[] VERSION_0 = {0x02, 0x01, 0x00};

  /** The algorithm rsaEncryption, 1.2.840.113549.1.1.1, and no parameters. */
  private static final byte[] RSA = {
    0x06, 0x09, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0
  };

  /** The algorithm ecPublicKey, 1.2.840.10045.2.1; the curve follows. */
  private static final byte[] EC = {
    0x06, 0x07, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 0x02, 0x01
  };

  private Pem() {}

  /**
   * The certificates of a file, in its order.
   *
   * @throws BlkSnapException {@code ENOENT} when there is no file, {@code EINVAL} when it holds no
   *     certificate
   */
  static List<X509Certificate> certificates(Path file) throws IOException {
    var found = new ArrayList<X509Certificate>();
    Matcher block = BLOCK.matcher(text(file));
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      while (block.find()) {
        if (block.group(1).equals("CERTIFICATE")) {
          var bytes = new ByteArrayInputStream(decode(file, block.group(2)));
          found.add((X509Certificate) factory.generateCertificate(bytes));
        }
      }
    } catch (CertificateException e) {
      throw new BlkSnapException(Errno.EINVAL, file + " holds a broken certificate: " + e, e);
    }
    if (found.isEmpty()) {
      throw new BlkSnapException(Errno.EINVAL, file + " holds no certificate");
    }
    return found;
  }

  /**
   * The private key of a file: PKCS #8, or the older forms of RSA and EC keys.
   *
   * @throws BlkSnapException {@code ENOENT} when there is no file, {@code EINVAL} when it holds no
   *     key, or one that needs a password
   */
  static PrivateKey privateKey(Path file) throws IOException {
    Matcher block = BLOCK.matcher(text(file));
    while (block.find()) {
      switch (block.group(1)) {
        case "PRIVATE KEY" -> {
          return key(file, decode(file, block.group(2)));
        }
        case "RSA PRIVATE KEY" -> {
          return key(file, wrap(RSA, new byte[0], decode(file, block.group(2))));
        }
        case "EC PRIVATE KEY" -> {
          byte[] inner = decode(file, block.group(2));
          return key(file, wrap(EC, curve(file, inner), inner));
        }
        case "ENCRYPTED PRIVATE KEY" ->
            throw new BlkSnapException(
                Errno.EINVAL, file + " needs a password, which nobody is there to type");
        default -> {} // certificates and parameters may stand beside it
      }
    }
    throw new BlkSnapException(Errno.EINVAL, file + " holds no private key");
  }

  private static String text(Path file) throws IOException {
    try (InputStream stream = Files.newInputStream(file)) {
      byte[] bytes = stream.readNBytes(MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new BlkSnapException(Errno.EFBIG, file + " is longer than " + MAX_BYTES + " bytes");
      }
      return new String(bytes, StandardCharsets.ISO_8859_1);
    } catch (NoSuchFileException e) {
      throw new BlkSnapException(Errno.ENOENT, "there is no " + file, e);
    }
  }

  private static byte[] decode(Path file, String text) throws BlkSnapException {
    try {
      return Base64.getMimeDecoder().decode(text);
    } catch (IllegalArgumentException e) {
      throw new BlkSnapException(Errno.EINVAL, file + " is not base64: " + e.getMessage(), e);
    }
  }

  private static PrivateKey key(Path file, byte[] pkcs8) throws BlkSnapException {
    for (String algorithm : KEY_ALGORITHMS) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
      } catch (InvalidKeySpecException _) {
        // of another algorithm, perhaps
      } catch (GeneralSecurityException e) {
        throw new BlkSnapException(Errno.EINVAL, file + ": " + e, e);
      }
    }
    throw new BlkSnapException(Errno.EINVAL, file + " is no key of " + KEY_ALGORITHMS);
  }

  /** PKCS #8 around one of the older forms. */
  private static byte[] wrap(byte[] algorithm, byte[] parameters, byte[] inner) {
    byte[] identifier = element(SEQUENCE, algorithm, parameters);
    return element(SEQUENCE, VERSION_0, identifier, element(OCTET_STRING, inner));
  }

  private static byte[] element(int tag, byte[]... contents) {
    var content = new ByteArrayOutputStream();
    for (byte[] part : contents) {
      content.writeBytes(part);
    }
    var all = new ByteArrayOutputStream();
    all.write(tag);
    int length = content.size();
    if (length < 0x80) {
      all.write(length);
    } else {
      int bytes = (Integer.SIZE - Integer.numberOfLeadingZeros(length) + 7) / Byte.SIZE;
      all.write(0x80 | bytes);
      for (int i = bytes - 1; i >= 0; i--) {
        all.write(length >>> (i * Byte.SIZE));
      }
    }
    all.writeBytes(content.toByteArray());
    return all.toByteArray();
  }

  /** The parameters inside an EC key: what its curve is. */
  private static byte[] curve(Path file, byte[] key) throws BlkSnapException {
    try {
      int[] all = header(key, 0);
      for (int at = all[0]; at < all[0] + all[1]; ) {
        int[] part = header(key, at);
        if ((key[at] & 0xff) == PARAMETERS) {
          return Arrays.copyOfRange(key, part[0], part[0] + part[1]);
        }
        at = part[0] + part[1];
      }
    } catch (IndexOutOfBoundsException | IllegalArgumentException | ArithmeticException e) {
      throw new BlkSnapException(Errno.EINVAL, file + " holds a broken EC key", e);
    }
    throw new BlkSnapException(Errno.EINVAL, file + " holds an EC key that names no curve");
  }

  /** Where the content of the element at {@code at} begins, and how long it is. */
  private static int[] header(byte[] der, int at) {
    int length = der[at + 1] & 0xff;
    int start = at + 2;
    if (length >= 0x80) {
      int bytes = length & 0x7f;
      length = 0;
      for (int i = 0; i < bytes; i++) {
        length = Math.multiplyExact(length, 256) + (der[start++] & 0xff);
      }
    }
    return new int[] {start, length};
  }
}
