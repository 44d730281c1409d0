package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.Environment;
import blksnap.cli.testing.Environments;
import blksnap.cli.testing.FakeEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the commands on backups say of places where nothing is, or nothing good. */
final class BackupOutputTest {
  @TempDir private Path directory;

  private CommandRun run(String... words) {
    Environment user = Environments.user();
    var here = new Environment(user.variables(), 0, user.home(), directory, false, false, false);
    return CommandRun.of(new FakeEngine(), here, "", words);
  }

  @Test
  void aPlaceThatIsNotThereIsNamed() {
    CommandRun run = run("backups", "nowhere");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err())
        .isEqualTo("blksnap: there is no directory " + directory + "/nowhere (ENOENT)\n");
    assertThat(run("backups", "list", "nowhere")).isEqualTo(run);
  }

  @Test
  void anEmptyPlaceHasNoPoints() throws IOException {
    Files.createDirectory(directory.resolve("b"));
    assertThat(run("backups", "b", "-o", "json").out())
        .isEqualTo("{\"points\":[],\"damaged\":[]}\n");
    assertThat(run("backups", "b", "-o", "plain")).isEqualTo(new CommandRun(0, "", ""));
    assertThat(run("backups", "b").out())
        .isEqualTo("POINT  KIND  SIZE  CHANGED  STORED  TIME  VERIFIED\n");
  }

  @Test
  void aDamagedManifestIsListedAndFailsAVerification() throws IOException {
    Path device = Files.createDirectories(directory.resolve("b/vm1"));
    Files.writeString(device.resolve("20261122T171115Z.json"), "{}");
    assertThat(run("backups", "b").out())
        .isEqualTo(
            """
            POINT                 KIND     SIZE  CHANGED  STORED  TIME  VERIFIED
            vm1/20261122T171115Z  damaged     -        -       -     -  damaged
            """);
    CommandRun verify = run("verify", "b");
    assertThat(verify.code()).isEqualTo(1);
    assertThat(verify.err()).contains("20261122T171115Z.json does not hold a blksnap_backup");
  }

  @Test
  void whatIsNoPointIsToldWithTheRightForm() {
    CommandRun run = run("restore", "b/vm1", "--to", "x");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err())
        .contains("there are no backups of a device at b/vm1 (ENOENT)", "DIR/DEVICE/POINT");
  }

  @Test
  void rulesThatKeepNothingAreRefused() {
    assertThat(run("prune", "b").code()).isEqualTo(2);
    assertThat(run("prune", "b").err()).contains("say what to keep: --keep-last");
    assertThat(run("prune", "b", "--keep-last=-1").code()).isEqualTo(2);
  }

  @Test
  void aDeviceWithoutBackupsIsNotPruned() throws IOException {
    Files.createDirectories(directory.resolve("b/vm1"));
    CommandRun run = run("prune", "b", "--device", "vm2", "--keep-last", "1");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err())
        .isEqualTo(
            """
            blksnap: there are no backups of a device vm2 in b (ENOENT)
            hint: did you mean 'vm1'?
            """);
    assertThat(directory.resolve("b/vm2")).doesNotExist();
    assertThat(run("prune", "b", "--device", "vm1", "--keep-last", "1").out())
        .isEqualTo("vm1: 0 kept\n");
  }

  @Test
  void jsonIsTheSameAsTheFormOfThatNameAlsoForWhatFails() {
    String[] backup = {"backup", "nowhere.img", "--to", "b", "--json"};
    CommandRun failed = run(backup);
    assertThat(failed.code()).isEqualTo(1);
    assertThat(failed.out()).isEmpty();
    assertThat(failed.err())
        .startsWith(
            "{\"error\":{\"errno\":\"ENODEV\",\"number\":19,\"message\":\"no device is called ")
        .hasLineCount(1);
    assertThat(run("backup", "nowhere.img", "--to", "b", "-o", "json")).isEqualTo(failed);

    CommandRun misused = run("backup", "vm1", "--to", "b", "--json", "--jobs", "0");
    assertThat(misused.code()).isEqualTo(2);
    assertThat(misused.err()).startsWith("{\"error\":{\"errno\":\"EINVAL\"").hasLineCount(1);
    assertThat(run("status", "/sys/nowhere", "--json"))
        .isEqualTo(run("status", "/sys/nowhere", "-o", "json"))
        .matches(run -> run.err().startsWith("{\"error\":"));
  }

  @Test
  void wordsThatContradictEachOtherAreRefused() {
    assertThat(run("backup", "vm1", "--to", "b", "--compress", "--format", "raw").err())
        .contains("a compression does not go with --format raw");
    assertThat(run("backup", "vm1", "--to", "b", "--compression", "lzma").err())
        .contains("'lzma' is no compression: write none, deflate or zstd");
    assertThat(run("backup", "vm1", "--to", "b", "--jobs", "0").err())
        .contains("--jobs takes 1 to 64, not 0");
    assertThat(run("backup", "vm1", "--to", "b", "--format", "vhd").code()).isEqualTo(2);
    assertThat(run("backup", "vm1", "--to", "gopher://b").err())
        .contains("at s3://BUCKET/PREFIX, and gopher://b is neither (ENOTSUP)");
    assertThat(directory.resolve("b")).doesNotExist();
  }
}
