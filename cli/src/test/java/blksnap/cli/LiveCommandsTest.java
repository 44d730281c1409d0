package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.Environment;
import blksnap.cli.testing.Environments;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import blksnap.status.StatusNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Views of what changes, where there is no terminal to draw them on. */
final class LiveCommandsTest {
  @TempDir private Path here;

  @Test
  void printsTheTreeOnceEachIntervalWithAnEmptyLineBetween() {
    var engine = new FakeEngine();
    String block =
        """
        /sys/block
        └── vm1
            └── ro  0
        """;
    assertThat(CommandRun.of(engine, "status", "/sys/block", "--watch=0.1", "-n", "2"))
        .isEqualTo(new CommandRun(0, block + "\n" + block, ""));
    assertThat(engine.requests())
        .containsExactly(
            new CtrlRequest.Status("/sys/block"), new CtrlRequest.Status("/sys/block"));
  }

  @Test
  void printsAnObjectALineForPrograms() {
    assertThat(
            CommandRun.of(
                new FakeEngine(), "status", "/sys/block", "--watch=0.1", "--count=2", "-o", "json"))
        .isEqualTo(new CommandRun(0, "{\"vm1\":{\"ro\":\"0\"}}\n{\"vm1\":{\"ro\":\"0\"}}\n", ""));
  }

  @Test
  void takesAPathBehindAWatchWithoutSeconds() {
    var engine = new FakeEngine();
    assertThat(CommandRun.of(engine, "status", "-n", "1", "--watch", "/sys/block").code()).isZero();
    assertThat(engine.requests()).containsExactly(new CtrlRequest.Status("/sys/block"));
  }

  @Test
  void refusesIntervalsAndCountsThatCannotBe() {
    for (String[] line :
        new String[][] {
          {"status", "--watch=0"},
          {"status", "--watch=soon"},
          {"status", "-n", "2"},
          {"status", "--watch", "-n", "0"},
          {"status", "--watch", "--json"},
          {"top", "-n", "x"},
          {"top", "--sort", "size"}
        }) {
      var run = CommandRun.of(new FakeEngine(), line);
      assertThat(run.code()).as(String.join(" ", line)).isEqualTo(2);
      assertThat(run.out()).isEmpty();
    }
  }

  @Test
  void printsWhatDevicesAndImagesDo() {
    assertThat(CommandRun.of(top(), "top", "-n", "1", "-i", "0.1").out())
        .isEqualTo(
            """
            NAME        IOPS  R MiB/s  W MiB/s  P50  P99  COPIED  LEFT  FULL IN
            vm1            0        0        0    -    -       3    1M    9 min
            vm1@monday     0        0        0    -    -       3    1M    9 min
            """);
    assertThat(CommandRun.of(top(), "top", "-n", "1", "-i", "0.1", "-o", "plain").out())
        .isEqualTo(
            """
            vm1\t0\t0\t0\t\t\t3\t1048576\t540
            vm1@monday\t0\t0\t0\t\t\t3\t1048576\t540
            """);
    assertThat(CommandRun.of(top(), "top", "-n", "1", "-i", "0.1", "-o", "json").out())
        .isEqualTo(
            """
            {"rows":[{"name":"vm1","kind":"device","iops":0,"read_bytes_per_s":0,\
            "write_bytes_per_s":0,"blocks_copied":3,"storage_left":1048576,"full_in_s":540},\
            {"name":"vm1@monday","kind":"image","iops":0,"read_bytes_per_s":0,\
            "write_bytes_per_s":0,"blocks_copied":3,"storage_left":1048576,"full_in_s":540}]}
            """);
  }

  @Test
  void drawsADeviceInThreeForms() {
    assertThat(CommandRun.of(map(), "cbt", "show", "vm1"))
        .isEqualTo(
            new CommandRun(
                0,
                """
                      0B ·█▇

                vm1: 1G, a sign is about 64K; · unchanged, then up to 25, 50, 75 and 100 % of it
                  ░▒▓█  since the last take                   64K
                  ▁▃▅▇  in the interval before the last take  0B
                  ▁▃▅▇  in the two intervals before           0B
                  ▁▃▅▇  before that                           64K
                        changed in all                        128K (0.0 %)
                """,
                ""));
    assertThat(CommandRun.of(map(), "cbt", "show", "vm1", "-o", "plain").out())
        .isEqualTo("0\t65536\t0\t\n65536\t65536\t65536\t0\n131072\t65536\t65536\t6\n");
    assertThat(CommandRun.of(map(), "cbt", "show", "vm1", "-o", "json").out())
        .isEqualTo(
            """
            {"device":"vm1","block_size":65536,"size_bytes":1073741824,"changed":131072,\
            "cells":[{"offset":0,"length":65536,"changed":0},\
            {"offset":65536,"length":65536,"changed":65536,"intervals_ago":0},\
            {"offset":131072,"length":65536,"changed":65536,"intervals_ago":6}]}
            """);
  }

  @Test
  void drawsOnlyWhatChangedSinceASnapshot() {
    var engine =
        new FakeEngine()
            .next(LiveCommandsTest::state)
            .next(() ->
                new CtrlReply.CbtRanges(List.of(new ByteRange(0, 65_536)), OptionalLong.of(65_536)))
            .next(() ->
                new CtrlReply.CbtRanges(
                    List.of(new ByteRange(131_072, 65_536)), OptionalLong.empty()))
            .next(() -> new CtrlReply.CbtBytes(new byte[] {0, 8, 2}, 3));
    assertThat(
            CommandRun.of(engine, "cbt", "show", "vm1", "--since", "monday", "-o", "plain").out())
        .isEqualTo("0\t65536\t0\t\n65536\t65536\t0\t\n131072\t65536\t65536\t6\n");
    assertThat(engine.requests())
        .contains(
            new CtrlRequest.CbtMap("vm1", Optional.of("monday"), Optional.empty(), 0),
            new CtrlRequest.CbtMap("vm1", Optional.of("monday"), Optional.empty(), 65_536));
  }

  @Test
  void writesAPictureWholeOrNotAtAll() throws Exception {
    Path file = here.resolve("vm1.svg");
    Environment environment = Environments.user();
    assertThat(
            CommandRun.of(map(), environment, "", "cbt", "show", "vm1", "--svg", file.toString()))
        .isEqualTo(new CommandRun(0, "", ""));
    assertThat(Files.readString(file)).startsWith("<svg ").endsWith("</svg>\n");
    var refusing = new FakeEngine().refuse(Errno.ENODEV, "there is no device vm1", "");
    Path other = here.resolve("other.svg");
    assertThat(
            CommandRun.of(
                    refusing, environment, "", "cbt", "show", "vm1", "--svg", other.toString())
                .code())
        .isEqualTo(1);
    try (var files = Files.list(here)) {
      assertThat(files).containsExactly(file);
    }
  }

  private static CtrlReply state() {
    return new CtrlReply.CbtState("vm1", 65_536, 3, 1L << 30, FakeEngine.GENERATION, 7, 2);
  }

  private static FakeEngine map() {
    return new FakeEngine()
        .next(LiveCommandsTest::state)
        .next(() -> new CtrlReply.CbtBytes(new byte[] {0, 8, 2}, 3));
  }

  /** Answers two readings of the two parts of the tree. */
  private static FakeEngine top() {
    var engine = new FakeEngine();
    for (int reading = 0; reading < 2; reading++) {
      engine
          .next(() ->
              tree(
                  "block",
                  directory("vm1", attribute("stat", "reads=5 read_bytes=9")),
                  directory("vm1@monday", attribute("blocks_stored", "3"))))
          .next(() ->
              tree(
                  "blksnap",
                  directory(
                      "monday",
                      directory(
                          "storage",
                          attribute("free", "1048576"),
                          attribute("full_in_s", "540")))));
    }
    return engine;
  }

  private static CtrlReply tree(String name, StatusNode... entries) {
    return new CtrlReply.Tree(directory(name, entries));
  }

  private static StatusNode directory(String name, StatusNode... entries) {
    return new StatusNode.Directory(name, List.of(entries));
  }

  private static StatusNode attribute(String name, String value) {
    return new StatusNode.Attribute(name, value, false);
  }
}
