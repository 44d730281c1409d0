package blksnap.backup;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.engine.Version;
import blksnap.qcow2.Compression;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The text of a manifest, and those that other versions wrote. */
class ManifestTest {
  private static final String TOOL = "\"tool\":\"blksnap\",\"tool_version\":\"1.0.0.0\"";

  private final Manifest manifest =
      new Manifest(
          UUID.randomUUID(),
          UUID.randomUUID(),
          BackupWorld.DEVICE,
          BackupWorld.PATH,
          "20260101T000000Z",
          1,
          Manifest.Kind.FULL,
          Manifest.DataFormat.QCOW2,
          Compression.NONE,
          1 << 20,
          Optional.of(UUID.randomUUID()),
          1,
          "crash-consistent",
          Instant.parse("2026-01-01T00:00:00Z"),
          5,
          Manifest.Looked.ALL,
          1 << 20,
          1 << 20,
          List.of(new Manifest.DataFile(UUID.randomUUID(), Optional.empty(), 4096, 0, 40, "hash")));

  private static Manifest decode(byte[] text) throws Exception {
    return Manifest.decode(text, BackupWorld.DEVICE, "20260101T000000Z", "manifest");
  }

  /** With the record's text changed, and sealed again. */
  private byte[] changed(String from, String to) throws Exception {
    String text = new String(manifest.encode(), StandardCharsets.UTF_8);
    String seal = ",\"sha256\":";
    String name = "{\"blksnap_backup\":";
    assertThat(text).startsWith(name).contains(from);
    String record = text.substring(name.length(), text.lastIndexOf(seal)).replace(from, to);
    byte[] hash =
        MessageDigest.getInstance("SHA-256").digest(record.getBytes(StandardCharsets.UTF_8));
    return (name + record + seal + "\"" + HexFormat.of().formatHex(hash) + "\"}")
        .getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void namesTheProgramThatWroteItAndItsVersion() throws Exception {
    assertThat(new String(manifest.encode(), StandardCharsets.UTF_8)).contains(TOOL);
    assertThat(Manifest.TOOL_VERSION).isEqualTo(Version.TEXT);
    assertThat(decode(manifest.encode())).isEqualTo(manifest);
  }

  @Test
  void readsOneOfAProgramThatDidNotTellItsVersion() throws Exception {
    assertThat(decode(changed(TOOL, "\"tool\":\"blksnap\""))).isEqualTo(manifest);
  }

  @Test
  void readsOneOfALaterProgramWithFieldsThatAreNotKnown() throws Exception {
    assertThat(decode(changed(TOOL, TOOL.replace("1.0.0.0", "9.9") + ",\"colour\":[1]")))
        .isEqualTo(manifest);
  }
}
