package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a sparse disk's backups hold, are equal to, and are listed as. */
@Timeout(240)
final class BackupContentIT {
  private static final int MIB = 1 << 20;

  @TempDir private Path directory;

  private Lab lab;
  private Path disk;
  private String to = "";

  /** Of 16 MiB a MiB is data, another one zeroes that were written, and the rest is a hole. */
  @BeforeEach
  void make() throws Exception {
    lab = new Lab(directory);
    to = lab.path("backups").toString();
    disk = lab.sparse("vm1.img", 16L * MIB);
    put(disk, 3 * MIB, Bytes.pattern(1, 0, MIB));
    put(disk, 9 * MIB, new byte[MIB]);
    lab.load();
    lab.ok("attach", disk.toString(), "--name", "vm1");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private static void put(Path file, long offset, byte[] content) throws IOException {
    try (var opened = new RandomAccessFile(file.toFile(), "rw")) {
      opened.seek(offset);
      opened.write(content);
    }
  }

  private void write(long offset, byte[] content) throws IOException {
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      session.write(offset, content);
    }
  }

  private JsonObject backUp(String... options) {
    String[] words =
        Stream.concat(
                Stream.of("backup", "vm1", "--to", to, "--storage", directory.toString(), "--json"),
                Stream.of(options))
            .toArray(String[]::new);
    List<String> lines = lab.ok(words).lines().toList();
    JsonObject made = JsonParser.parseString(lines.getLast()).getAsJsonObject();
    return made.getAsJsonArray("points").get(0).getAsJsonObject();
  }

  private static void requireCounts(JsonObject point, long read, long changed, long stored) {
    assertThat(point.get("read").getAsLong()).isEqualTo(read);
    assertThat(point.get("changed").getAsLong()).isEqualTo(changed);
    assertThat(point.get("stored").getAsLong()).isEqualTo(stored);
  }

  @Test
  void holesAreNotReadAndZeroesNotStoredWhateverTheKindOfThePoint() throws Exception {
    JsonObject first = backUp();
    requireCounts(first, 2 * MIB, MIB, MIB);
    requireCounts(backUp(), 0, 0, 0);

    JsonObject full = backUp("--full");
    requireCounts(full, 2 * MIB, MIB, MIB);
    assertThat(full.get("kind").getAsString()).isEqualTo("full");
    assertThat(full.has("parent")).isFalse();

    JsonObject raw = backUp("--format", "raw");
    requireCounts(raw, 2 * MIB, MIB, MIB);
    Path image = Path.of(to, "vm1", raw.get("point").getAsString() + ".raw");
    assertThat(Files.mismatch(disk, image)).isEqualTo(-1);
    assertThat(Lab.allocated(image)).isBetween((long) MIB, MIB + MIB / 2L);
    assertThat(lab.ok("verify", to).lines()).hasSize(4).allMatch(line -> line.endsWith(": good"));
  }

  @Test
  void aPointIsRestoredToAnExport() throws Exception {
    String point = backUp().get("point").getAsString();
    Path target = Files.write(lab.path("target.img"), Bytes.repeated('x', 16 * MIB));
    lab.ok("attach", target.toString(), "--name", "target");
    String said = lab.ok("restore", to + "/vm1/" + point, "--to", lab.uri("target"));
    assertThat(said).contains("restored to " + lab.uri("target"), "of 16M written");
    lab.detachWhenUnused("target");
    assertThat(Files.mismatch(disk, target)).isEqualTo(-1);
  }

  @Test
  void aPointIsComparedWithTheImageOfALiveDisk() throws Exception {
    String point = to + "/vm1/" + backUp().get("point").getAsString();
    String[] take = {"snapshot", "create", "vm1", "--storage", directory.toString(), "--take"};
    lab.ok(Stream.concat(Stream.of(take), Stream.of("--name", "same")).toArray(String[]::new));
    write(5 * MIB, new byte[4096]); // is what it was
    write(7 * MIB + 4096, Bytes.pattern(2, 0, 10));
    write(8 * MIB, Bytes.pattern(3, 0, 10));
    lab.ok(Stream.concat(Stream.of(take), Stream.of("--name", "later")).toArray(String[]::new));

    assertThat(lab.ok("verify", point, "--against", lab.uri("vm1@same"))).endsWith(": good");
    String later = lab.uri("vm1@later");
    String said = lab.refused("verify", point, "--against", later);
    assertThat(said)
        .startsWith(
            "blksnap: point " + point.substring(point.lastIndexOf('/') + 1) + " of vm1 and ")
        .endsWith(" differ at " + (7 * MIB + 4096) + " (EBADMSG)\n");
    assertThat(lab.refused("verify", point, "--against", lab.uri("vm1@none"))).contains("vm1@none");
  }

  /** Without what is another one in each run: the names of points, and how long they took. */
  private String list(String form) {
    return lab.ok("backups", to, "-o", form)
            .replaceAll("\\d{8}T\\d{6}Z(-\\d+)?", "AT")
            .replaceAll("[\\d.]+s ", "TIME ")
            .replaceAll(" +", " ")
            .replace(LocalDate.now(ZoneOffset.UTC).toString(), "TODAY")
        + "\n";
  }

  @Test
  void theListOfPointsTellsWhichWereVerified() throws Exception {
    backUp();
    write(MIB, Bytes.pattern(2, 0, 5000));
    JsonObject increment = backUp();
    assertThat(list("table"))
        .isEqualTo(
            """
            POINT KIND SIZE CHANGED STORED TIME VERIFIED
            vm1/AT full 16M 1M 1M TIME -
            vm1/AT increment 16M 8K 8K TIME -
            """);

    lab.ok("verify", to);
    assertThat(list("table"))
        .isEqualTo(
            """
            POINT KIND SIZE CHANGED STORED TIME VERIFIED
            vm1/AT full 16M 1M 1M TIME TODAY
            vm1/AT increment 16M 8K 8K TIME TODAY
            """);
    String increments = "increment\t16777216\t8192\t8192\t\\d+\t";
    String today = LocalDate.now(ZoneOffset.UTC) + "T\\S+Z";
    assertThat(list("plain"))
        .matches(
            "vm1/AT\tfull\t16777216\t1048576\t1048576\t\\d+\tTODAYT\\S+Z\nvm1/AT\t"
                + increments
                + "TODAYT\\S+Z\n");
    JsonObject last = points().getLast();
    assertThat(last.get("good").getAsBoolean()).isTrue();
    assertThat(last.get("verified_at").getAsString()).matches(today);
    for (String field : increment.keySet()) {
      assertThat(last.get(field)).as(field).isEqualTo(increment.get(field));
    }

    Path image = Path.of(to, "vm1", last.get("point").getAsString() + ".qcow2");
    put(image, Files.size(image) - 4096, Bytes.repeated('x', 4096));
    lab.refused("verify", to);
    assertThat(list("table")).endsWith("TODAY\nvm1/AT increment 16M 8K 8K TIME damaged\n");
    assertThat(list("plain")).matches("(?s).*\\n\\S+\t" + increments + "damaged\n");
    assertThat(points().getFirst().get("good").getAsBoolean()).isTrue();
    assertThat(points().getLast().get("good").getAsBoolean()).isFalse();
    assertThat(points().getLast().get("damage").getAsString()).contains(image.toString());
  }

  private List<JsonObject> points() {
    JsonArray points =
        JsonParser.parseString(lab.ok("backups", to, "-o", "json"))
            .getAsJsonObject()
            .getAsJsonArray("points");
    List<JsonObject> found = new ArrayList<>();
    points.forEach(point -> found.add(point.getAsJsonObject()));
    return found;
  }
}
