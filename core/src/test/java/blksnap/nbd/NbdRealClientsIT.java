package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The clients people use, against our server. One that is not installed is skipped, unless {@code
 * BLKSNAP_REQUIRE_REAL_CLIENTS=1} says that it must be there.
 */
@Timeout(300)
class NbdRealClientsIT {
  private static final int SIZE = 32 << 20;
  private static final long MOST_SECONDS = 120;

  @TempDir private Path directory;

  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);
  private NbdTestServer server;

  @BeforeEach
  void start() throws IOException {
    server = NbdTestServer.of(disk);
    byte[] content = random(3 << 20);
    disk.set(1 << 20, content);
    disk.set(20 << 20, content);
    server.with("frozen", MemoryDevice.readOnly(disk.content()));
  }

  @AfterEach
  void close() throws IOException {
    Waiting.until("all clients are gone", () -> server.server().clients().isEmpty());
    server.close();
    assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
    assertThat(server.pool().lentBytes()).isZero();
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private String uri(String export) {
    return "nbd+unix:///" + export + "?socket=" + server.socket();
  }

  /** Skips the test, or fails it, when the program is not on the PATH. */
  private static void need(String program) {
    boolean there =
        Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":", -1))
            .anyMatch(entry -> Files.isExecutable(Path.of(entry, program)));
    if (!there && "1".equals(System.getenv("BLKSNAP_REQUIRE_REAL_CLIENTS"))) {
      fail(program + " is required, and not installed");
    }
    assumeTrue(there, program + " is not installed");
  }

  /** Runs a program to its end and returns what it said; any exit code but 0 fails the test. */
  private String run(String... command) throws IOException, InterruptedException {
    need(command[0]);
    Path output = Files.createTempFile(directory, "out", ".txt");
    Process process =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    if (!process.waitFor(MOST_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      fail("not done after " + MOST_SECONDS + " s: " + List.of(command));
    }
    String said = Files.readString(output);
    assertThat(process.exitValue()).as("%s said: %s", List.of(command), said).isZero();
    return said;
  }

  private Path file(String name, byte[] content) throws IOException {
    return Files.write(directory.resolve(name), content);
  }

  @Test
  void nbdinfoUnderstandsTheExport() throws Exception {
    assertThat(run("nbdinfo", uri("disk")))
        .contains("newstyle-fixed")
        .contains("using structured packets")
        .contains("export-size: " + SIZE)
        .contains("base:allocation")
        .contains("description: the disk")
        .contains("can_multi_conn: true")
        .contains("can_fua: true")
        .contains("can_trim: true")
        .contains("can_zero: true")
        .contains("can_df: true")
        .contains("can_fast_zero: true")
        .contains("can_cache: true")
        .contains("is_read_only: false")
        .contains("block_size_minimum: 1")
        .contains("block_size_preferred: 4096")
        .contains("block_size_maximum: 33554432");
    assertThat(run("nbdinfo", uri("frozen")))
        .contains("is_read_only: true")
        .contains("can_trim: false");
  }

  @Test
  void nbdinfoListsTheExports() throws Exception {
    assertThat(run("nbdinfo", "--list", uri("")))
        .contains("export=\"disk\"")
        .contains("export=\"frozen\"");
  }

  @Test
  void nbdinfoMapsTheHoles() throws Exception {
    assertThat(run("nbdinfo", "--map", uri("disk")).replaceAll(" +", " ").strip())
        .isEqualTo(
            """
            0 1048576 3 hole,zero
             1048576 3145728 0 data
             4194304 16777216 3 hole,zero
             20971520 3145728 0 data
             24117248 9437184 3 hole,zero\
            """);
  }

  @Test
  void nbdcopyReadsAndWrites() throws Exception {
    Path copy = directory.resolve("copy.img");
    run("nbdcopy", uri("disk"), copy.toString());
    assertThat(copy).hasBinaryContent(disk.content());

    byte[] other = random(SIZE);
    Arrays.fill(other, 5 << 20, 9 << 20, (byte) 0);
    run("nbdcopy", "--flush", file("other.img", other).toString(), uri("disk"));
    assertThat(disk.content()).isEqualTo(other);
    assertThat(disk.flushes()).isPositive();
  }

  @Test
  void nbdcopyUsesSeveralConnectionsAndManyRequests() throws Exception {
    Path copy = directory.resolve("copy.img");
    run(
        "nbdcopy",
        "--threads=4",
        "--connections=4",
        "--requests=64",
        "--request-size=32768",
        uri("frozen"),
        copy.toString());
    assertThat(copy).hasBinaryContent(disk.content());
    assertThat(server.server().counters().connections()).isGreaterThanOrEqualTo(4);
  }

  @Test
  void qemuImgInspectsComparesAndConverts() throws Exception {
    assertThat(run("qemu-img", "info", uri("disk"))).contains("32 MiB");
    Path copy = directory.resolve("copy.img");
    run("qemu-img", "convert", "-f", "raw", "-O", "raw", uri("disk"), copy.toString());
    assertThat(copy).hasBinaryContent(disk.content());
    assertThat(run("qemu-img", "compare", "-f", "raw", "-F", "raw", uri("disk"), copy.toString()))
        .contains("Images are identical");

    byte[] other = random(SIZE);
    Arrays.fill(other, 5 << 20, 9 << 20, (byte) 0);
    String source = file("other.img", other).toString();
    run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source, uri("disk"));
    assertThat(disk.content()).isEqualTo(other);
  }

  @Test
  void qemuImgMapsTheHoles() throws Exception {
    assertThat(run("qemu-img", "map", "--output=json", "-f", "raw", uri("disk")))
        .contains("\"start\": 1048576, \"length\": 3145728")
        .contains("\"start\": 24117248, \"length\": 9437184");
  }

  @Test
  void qemuIoWritesZeroesDiscardsAndReadsBack() throws Exception {
    run(
        "qemu-io",
        "-f",
        "raw",
        "-c",
        "write -P 0xa5 0 1M",
        "-c",
        "write -z 64k 64k",
        "-c",
        "write -z -u 256k 64k",
        "-c",
        "discard 512k 64k",
        "-c",
        "write -f -P 0x5a 4096 512",
        "-c",
        "aio_write -P 0x11 700k 8k",
        "-c",
        "aio_write -P 0x12 710k 8k",
        "-c",
        "aio_flush",
        "-c",
        "flush",
        "-c",
        "read -P 0xa5 0 4096",
        "-c",
        "read -P 0x5a 4096 512",
        "-c",
        "read -P 0 64k 64k",
        "-c",
        "read -P 0 256k 64k",
        "-c",
        "read -P 0x11 700k 8k",
        "-c",
        "read -P 0x12 710k 8k",
        uri("disk"));
    byte[] content = disk.content();
    assertThat(Arrays.copyOfRange(content, 64 << 10, 128 << 10)).containsOnly(0);
    assertThat(Arrays.copyOfRange(content, 512 << 10, 576 << 10)).containsOnly(0);
    assertThat(content[4096]).isEqualTo((byte) 0x5a);
    assertThat(disk.flushes()).isGreaterThanOrEqualTo(2);
  }

  @Test
  void qemuIoMayNotWriteToAReadOnlyExport() throws Exception {
    need("qemu-io");
    Process process =
        new ProcessBuilder("qemu-io", "-f", "raw", "-c", "write 0 4096", uri("frozen"))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertThat(process.waitFor(MOST_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isNotZero();
  }

  @Test
  void fioVerifiesWhatItWrote() throws Exception {
    for (String pattern : new String[] {"randwrite", "write"}) {
      run(
          "fio",
          "--name=verify",
          "--ioengine=nbd",
          "--uri=" + uri("disk"),
          "--rw=" + pattern,
          "--bsrange=512-128k",
          "--bs_unaligned=1",
          "--size=16m",
          "--iodepth=16",
          "--fsync=64",
          "--verify=crc32c",
          "--verify_fatal=1",
          "--randseed=7");
    }
  }
}
