package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.Part;

/** Backups in a store that speaks S3: a real server, which is a process of its own. */
@Timeout(300)
final class BackupS3IT {
  private static final int MIB = 1 << 20;

  /** More than two parts of an upload. */
  private static final int SIZE = 40 * MIB;

  private static final String PLACE = "s3://" + S3Server.BUCKET + "/of/test";

  @TempDir private Path directory;

  private Lab lab;
  private S3Server server;
  private Path disk;
  private final Map<String, String> variables = new HashMap<>();

  @BeforeEach
  void start() throws IOException {
    Lab.need("qemu-img");
    lab = new Lab(directory);
    server = S3Server.start(lab);
    disk = lab.disk("vm1.img", SIZE);
    variables.putAll(lab.variables());
    variables.put("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:" + server.address().getPort());
    variables.put("AWS_ACCESS_KEY_ID", S3Server.USER);
    variables.put("AWS_SECRET_ACCESS_KEY", S3Server.SECRET);
    variables.put("AWS_EC2_METADATA_DISABLED", "true");
    variables.put("AWS_CONFIG_FILE", lab.path("aws-config").toString());
    variables.put("AWS_SHARED_CREDENTIALS_FILE", lab.path("aws-credentials").toString());
    variables.put("TMPDIR", directory.toString());
  }

  @AfterEach
  void end() {
    server.close();
    lab.close();
  }

  private Background begin(String... words) throws IOException {
    List<String> command = new ArrayList<>(List.of(Lab.launcher()));
    command.addAll(List.of(words));
    return lab.start(variables, command.toArray(String[]::new));
  }

  private String ok(String... words) throws Exception {
    try (Background command = begin(words)) {
      return command.awaitSuccess();
    }
  }

  private String refused(String... words) throws Exception {
    try (Background command = begin(words)) {
      assertThat(command.await()).as("%s", command.output()).isEqualTo(1);
      return command.output();
    }
  }

  private String backUp(String... more) throws Exception {
    List<String> words = new ArrayList<>(List.of("backup", disk.toString(), "--to", PLACE));
    words.addAll(List.of("--storage", directory.toString()));
    words.addAll(List.of(more));
    return ok(words.toArray(String[]::new));
  }

  private void change(long offset, int bytes) throws IOException {
    try (var file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.seek(offset);
      file.write(Bytes.pattern(7, offset, bytes));
    }
  }

  private List<Path> objects(String ending) throws IOException {
    Path device = server.file("of/test/vm1");
    if (!Files.isDirectory(device)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(device)) {
      return files.filter(file -> file.toString().endsWith(ending)).sorted().toList();
    }
  }

  @Test
  void everyCommandWorksOnAStoreThatIsBusyNowAndThen() throws Exception {
    variables.remove("AWS_ACCESS_KEY_ID");
    variables.remove("AWS_SECRET_ACCESS_KEY");
    Files.writeString(
        lab.path("aws-credentials"),
        String.join(
            "\n",
            "[backups]",
            "aws_access_key_id=" + S3Server.USER,
            "aws_secret_access_key=" + S3Server.SECRET));
    variables.put("AWS_PROFILE", "backups");
    variables.put("JAVA_TOOL_OPTIONS", "-Dhttp.keepAlive=false"); // a connection a request
    try (var busy = new BusyServer(server.address())) {
      variables.put("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:" + busy.port());
      Path first = Files.copy(disk, lab.path("first.img"));
      assertThat(backUp()).contains("full", "40M stored");
      change(MIB + 100, 5000);
      assertThat(backUp("--compression", "zstd")).contains("increment", "8K changed");
      assertThat(ok("backups", PLACE)).contains("full", "increment");
      assertThat(ok("verify", PLACE).lines().filter(line -> line.endsWith(": good"))).hasSize(2);

      String oldest = objects(".json").getFirst().getFileName().toString().replace(".json", "");
      Path restored = lab.path("restored.img");
      ok("restore", PLACE + "/vm1/" + oldest, "--to", restored.toString());
      assertThat(Files.mismatch(first, restored)).isEqualTo(-1);

      Path socket = lab.path("open.sock");
      try (Background open =
          begin("backups", "open", PLACE + "/vm1", "--socket", socket.toString())) {
        Lab.until("it serves", () -> Files.exists(socket) && open.output().contains("nbd+unix"));
        String uri =
            open.output().lines().filter(line -> line.startsWith("nbd+")).findFirst().orElseThrow();
        lab.program("qemu-img", "compare", "-f", "raw", "-F", "raw", disk.toString(), uri);
      }
      assertThat(ok("prune", PLACE, "--keep-last", "1")).contains("merged", "1 kept");
      assertThat(objects(".qcow2")).hasSize(1);
      assertThat(ok("verify", PLACE + "/vm1")).contains(": good");
      Files.delete(restored);
      ok("restore", PLACE + "/vm1", "--to", restored.toString());
      assertThat(Files.mismatch(disk, restored)).isEqualTo(-1);
      assertThat(busy.refused()).isGreaterThan(10);
    }
    // QEMU reads the object as it lies there.
    Path object = objects(".qcow2").getFirst();
    lab.program(
        "qemu-img", "compare", "-f", "raw", "-F", "qcow2", disk.toString(), object.toString());
    assertThat(objects(".lock")).isEmpty();
  }

  @Test
  void aSecondBackupAtOnceIsRefusedAndOneThatWasKilledKeepsNothing() throws Exception {
    String[] slow = {
      "backup",
      disk.toString(),
      "--to",
      PLACE,
      "--storage",
      directory.toString(),
      "--limit-rate",
      "1M"
    };
    try (Background backup = begin(slow)) {
      Lab.until("it has locked the device", () -> !objects(".lock").isEmpty());
      Path other = Files.createDirectory(lab.path("other-run"));
      variables.put("BLKSNAP_RUN_DIR", other.toString());
      variables.put("BLKSNAP_STATE_DIR", lab.path("other-state").toString());
      Path twin = Files.createDirectory(lab.path("twin")).resolve("vm1.img");
      Files.copy(disk, twin);
      assertThat(
              refused("backup", twin.toString(), "--to", PLACE, "--storage", directory.toString()))
          .contains("(EBUSY)", ".lock");
      variables.putAll(lab.variables());
      lab.program("kill", "-KILL", Long.toString(backup.pid()));
      assertThat(backup.await()).isNotZero();
    }
    assertThat(objects(".json")).isEmpty();
    assertThat(ok("backups", PLACE, "-o", "plain")).isEmpty();
    assertThat(backUp()).contains("full");
    assertThat(objects(".lock")).isEmpty();
    ok("verify", PLACE);
  }

  /** Bytes of the parts that the server has of uploads that were begun. */
  private long partsThere() {
    var access =
        StaticCredentialsProvider.create(
            AwsBasicCredentials.create(S3Server.USER, S3Server.SECRET));
    try (S3Client client =
        S3Client.builder()
            .httpClientBuilder(UrlConnectionHttpClient.builder())
            .endpointOverride(URI.create("http://127.0.0.1:" + server.address().getPort()))
            .forcePathStyle(true)
            .region(Region.US_EAST_1)
            .credentialsProvider(access)
            .build()) {
      return client
          .listMultipartUploads(request -> request.bucket(S3Server.BUCKET))
          .uploads()
          .stream()
          .flatMap(upload ->
              client
                  .listPartsPaginator(request ->
                      request.bucket(S3Server.BUCKET).key(upload.key()).uploadId(upload.uploadId()))
                  .parts()
                  .stream())
          .mapToLong(Part::size)
          .sum();
    }
  }

  private List<Path> waiting() throws IOException {
    Path uploads = lab.state().resolve("uploads");
    List<Path> waiting = new ArrayList<>();
    for (Path place : List.of(directory, uploads)) {
      if (Files.isDirectory(place)) {
        try (Stream<Path> all = Files.walk(place, 2)) {
          waiting.addAll(
              all.filter(Files::isRegularFile)
                  .filter(file ->
                      file.startsWith(uploads)
                          || file.getFileName().toString().startsWith("blksnap-"))
                  .toList());
        }
      }
    }
    return waiting;
  }

  @Test
  void anUploadThatIsKilledIsFinishedByTheNextBackupWhichSendsWhatIsMissing() throws Exception {
    int size = 160 * MIB;
    disk = lab.disk("vm1.img", size);
    Path first = Files.copy(disk, lab.path("first.img"));
    try (var counting = new CountingServer(server.address())) {
      variables.put("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:" + counting.port());
      counting.standAfter(120L * MIB); // four parts are under way at a time
      String[] words = {
        "backup", disk.toString(), "--to", PLACE, "--storage", directory.toString(), "--json"
      };
      try (Background backup = begin(words)) {
        Lab.until("it is uploaded", () -> counting.stands() || !backup.isAlive());
        lab.program("kill", "-KILL", Long.toString(backup.pid()));
        assertThat(backup.await()).as("%s", backup.output()).isEqualTo(128 + 9);
      }
      long there = partsThere();
      assertThat(there).isBetween(3L * 16 * MIB, size - 1L);
      assertThat(objects(".json")).isEmpty();
      assertThat(waiting()).hasSize(3); // an image, its hashes, and the record of both

      counting.goOn();
      long sent = counting.sent();
      change(5 * MIB + 100, 5000);
      String output = backUp();
      assertThat(output).contains("increment", "8K changed", "was finished");
      String told = output.replaceAll("(?s).*was finished: (\\d+) of (\\d+) bytes.*", "$1");
      assertThat(Long.parseLong(told)).isGreaterThanOrEqualTo(there);
      assertThat(counting.sent() - sent).isBetween(1L, size - there + 4 * MIB);
    }
    variables.put("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:" + server.address().getPort());
    assertThat(waiting()).isEmpty();
    assertThat(partsThere()).isZero();
    assertThat(objects(".lock")).isEmpty();
    assertThat(ok("verify", PLACE).lines().filter(line -> line.endsWith(": good"))).hasSize(2);
    Path restored = lab.path("restored.img");
    String oldest = objects(".json").getFirst().getFileName().toString().replace(".json", "");
    ok("restore", PLACE + "/vm1/" + oldest, "--to", restored.toString());
    assertThat(Files.mismatch(first, restored)).isEqualTo(-1);
    Files.delete(restored);
    ok("restore", PLACE + "/vm1", "--to", restored.toString());
    assertThat(Files.mismatch(disk, restored)).isEqualTo(-1);
  }

  @Test
  void damageAndMissingRightsAreNamed() throws Exception {
    backUp();
    Path object = objects(".qcow2").getFirst();
    try (var file = new RandomAccessFile(object.toFile(), "rw")) {
      file.seek(SIZE / 2);
      int there = file.read();
      file.seek(SIZE / 2);
      file.write(there ^ 1);
    }
    assertThat(refused("verify", PLACE)).contains("damaged", PLACE + "/vm1/");
    assertThat(refused("restore", PLACE + "/vm1", "--to", lab.path("r.img").toString()))
        .contains("(EBADMSG)");

    variables.put("AWS_SECRET_ACCESS_KEY", "another");
    assertThat(refused("backups", PLACE)).contains("(EACCES)");
    variables.remove("AWS_ACCESS_KEY_ID");
    variables.remove("AWS_SECRET_ACCESS_KEY");
    assertThat(refused("backups", PLACE)).contains("(EACCES)", "credentials");
    assertThat(refused("backups", "s3://")).contains("(EINVAL)");
  }
}
