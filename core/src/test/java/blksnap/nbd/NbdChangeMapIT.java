package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.RealClients;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What has changed, as tools made for QEMU's bitmaps and libnbd's own see it. */
@Timeout(120)
class NbdChangeMapIT {
  private static final int BLOCK = 4096;
  private static final int SIZE = 64 * BLOCK;

  @TempDir private Path directory;

  private TestEngine engine;

  @BeforeEach
  void takeOnce() throws IOException {
    engine = new TestEngine(directory);
    engine.attach("disk", Bytes.pattern(1, 0, SIZE));
    engine.take("s1", "disk");
    assertThat(engine.write("disk", 8 * BLOCK, new byte[4 * BLOCK])).isZero();
  }

  @AfterEach
  void close() throws IOException {
    engine.close();
  }

  private String map(String export, String context) throws IOException {
    RealClients.require(Commands.works("nbdinfo", "--version"), "nbdinfo is not installed");
    String uri = "nbd+unix:///" + export + "?socket=" + directory.resolve("run/nbd.sock");
    return Commands.run("nbdinfo", "--map=" + context, uri).replaceAll("[ \\t]+", " ").strip();
  }

  @Test
  void nbdinfoMapsWhatHasChanged() throws IOException {
    assertThat(map("disk", "qemu:dirty-bitmap:since-s1"))
        .isEqualTo(
            """
            0 32768 0 clean
             32768 16384 1 dirty
             49152 212992 0 clean\
            """);
    assertThat(map("disk", "qemu:dirty-bitmap:since-1")).contains("32768 16384 1 dirty");
    assertThat(map("disk@s1", "qemu:dirty-bitmap:since-0")).isEqualTo("0 262144 0 clean");
  }

  @Test
  void nbdinfoMapsTheNumbersAndWhatAnImageHolds() throws IOException {
    assertThat(map("disk", "blksnap:cbt"))
        .isEqualTo(
            """
            0 32768 0
             32768 16384 2
             49152 212992 0\
            """);
    assertThat(map("disk@s1", "qemu:allocation-depth")) // each version has other words for 0
        .matches("0 32768 0 \\w+\n 32768 16384 1 local\n 49152 212992 0 \\w+");
  }

  @Test
  void nbdinfoListsTheContexts() throws IOException {
    RealClients.require(Commands.works("nbdinfo", "--version"), "nbdinfo is not installed");
    String socket = directory.resolve("run/nbd.sock").toString();
    assertThat(Commands.run("nbdinfo", "nbd+unix:///disk@s1?socket=" + socket))
        .contains("base:allocation")
        .contains("blksnap:cbt")
        .contains("qemu:allocation-depth");
  }

  /** QEMU shows what is dirty as a hole. */
  @Test
  void qemuImgMapsWhatHasChanged() throws IOException {
    RealClients.require(Commands.works("qemu-img", "--version"), "qemu-img is not installed");
    String options =
        "driver=nbd,export=disk,server.type=unix,server.path="
            + directory.resolve("run/nbd.sock")
            + ",x-dirty-bitmap=qemu:dirty-bitmap:since-s1";
    assertThat(Commands.run("qemu-img", "map", "--output=json", "--image-opts", options))
        .containsPattern("\"start\": 0, \"length\": 32768,[^}]*\"data\": true")
        .containsPattern("\"start\": 32768, \"length\": 16384,[^}]*\"data\": false")
        .containsPattern("\"start\": 49152, \"length\": 212992,[^}]*\"data\": true");
  }
}
