package blksnap.cli.demo;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * The CRC-32C of bytes that are read piece by piece. Tells whether the same bytes were read again;
 * a cryptographic digest would take most of the demo's time.
 */
final class Checksum {
  private final CRC32C crc = new CRC32C();

  /** Adds what remains in {@code bytes}, and leaves it there. */
  void add(ByteBuffer bytes) {
    crc.update(bytes.duplicate());
  }

  /** Of what was added so far, in hexadecimal digits. */
  String text() {
    return "%08x".formatted(crc.getValue());
  }
}
