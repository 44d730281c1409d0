package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlRequest;
import blksnap.sector.SectorRange;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What the engine is asked for by a line. */
final class RequestsTest {
  @Test
  void sendsAnAttachWithAllThatWasSaidAndAnAbsolutePath() {
    assertThat(asked("attach", "disks/../a b.img", "--name", "x", "--read-only", "--cache=DIRECT"))
        .isEqualTo(
            new CtrlRequest.Attach(
                "/here/disks/../a b.img", Optional.of("x"), true, CtrlRequest.Cache.DIRECT));
  }

  @Test
  void leavesTheNameAndTheCacheOfAnAttachToTheirDefaults() {
    assertThat(asked("attach", "/srv/vm1.img"))
        .isEqualTo(
            new CtrlRequest.Attach(
                "/srv/vm1.img", Optional.empty(), false, CtrlRequest.Cache.WRITEBACK));
  }

  @Test
  void sendsASnapshotCreateWithAllThatWasSaid() {
    assertThat(
            asked(
                "snapshot create a b --storage s --limit 10G --name n --durability power"
                    + " --on-full wait:30 --take --limit-iops 200 --limit-rate 5M"))
        .isEqualTo(
            new CtrlRequest.SnapshotCreate(
                List.of("a", "b"),
                "/here/s",
                Optional.of(10L << 30),
                Optional.of("n"),
                CtrlRequest.Durability.POWER,
                new CtrlRequest.OnFull(true, Optional.of(30)),
                true,
                CtrlRequest.Hooks.NONE,
                new CtrlRequest.ImageLimit(200, 5 << 20)));
  }

  @Test
  void sendsASnapshotCreateWithItsDefaults() {
    assertThat(asked("snapshot create --storage /s a"))
        .isEqualTo(
            new CtrlRequest.SnapshotCreate(
                List.of("a"),
                "/s",
                Optional.empty(),
                Optional.empty(),
                CtrlRequest.Durability.PROCESS,
                CtrlRequest.OnFull.BREAK,
                false));
  }

  @Test
  void refusesLimitsThatCannotBe() {
    assertThat(refused("snapshot create a --storage s --limit-iops -1")).contains("from 0, not -1");
    assertThat(refused("snapshot create a --storage s --limit-rate 16383"))
        .contains("at least 16K, not 16383");
    assertThat(refused("snapshot create a --storage s --limit-rate fast")).contains("--limit-rate");
  }

  @Test
  void sendsWaitWithoutSecondsAsAWaitForEver() {
    assertThat(asked("snapshot create a --storage /s --on-full wait"))
        .isInstanceOfSatisfying(
            CtrlRequest.SnapshotCreate.class,
            create ->
                assertThat(create.onFull())
                    .isEqualTo(new CtrlRequest.OnFull(true, Optional.empty())));
  }

  @Test
  void sendsTheOtherSnapshotCommands() {
    assertThat(asked("snapshot add m d")).isEqualTo(new CtrlRequest.SnapshotAdd("m", "d"));
    assertThat(asked("snapshot append-storage m f --range 8:16 --range 100:1"))
        .isEqualTo(
            new CtrlRequest.SnapshotAppendStorage(
                "m", "/here/f", List.of(new SectorRange(8, 16), new SectorRange(100, 1))));
    assertThat(asked("snapshot_appendstorage -i m -d /dev/sdb -r 8:16 100:1 -r 200:3"))
        .isEqualTo(
            new CtrlRequest.SnapshotAppendStorage(
                "m",
                "/dev/sdb",
                List.of(new SectorRange(8, 16), new SectorRange(100, 1), new SectorRange(200, 3))));
    assertThat(asked("snapshot take m")).isEqualTo(new CtrlRequest.SnapshotTake("m"));
    assertThat(asked("snapshot info m")).isEqualTo(new CtrlRequest.SnapshotInfo("m"));
    assertThat(asked("snapshot images m")).isEqualTo(new CtrlRequest.SnapshotImages("m"));
    assertThat(asked("snapshot destroy m")).isEqualTo(new CtrlRequest.SnapshotDestroy("m"));
    assertThat(asked("snapshot wait m --timeout 50"))
        .isEqualTo(new CtrlRequest.SnapshotWait("m", 50));
  }

  @Test
  void sendsWhatIsDoneAroundATake() {
    var hooks =
        new CtrlRequest.Hooks(
            List.of("/srv/a", "/here/b"), Optional.of("x 1"), Optional.of("y"), 3_000, true);
    String[] words = {
      "--freeze",
      "/srv/a",
      "--freeze=b",
      "--pre",
      "x 1",
      "--post",
      "y",
      "--freeze-timeout",
      "3",
      "--best-effort"
    };
    var engine = new FakeEngine();
    var take = CommandRun.of(engine, with(words, "snapshot", "take", "m"));
    assertThat(take.code()).isZero();
    assertThat(take.err())
        .isEqualTo("blksnap: warning: only crash-consistent: no file system was frozen\n");
    assertThat(engine.requests()).containsExactly(new CtrlRequest.SnapshotTake("m", hooks));
    assertThat(asked(with(words, "snapshot", "create", "d", "--storage", "/s", "--take")))
        .isInstanceOfSatisfying(
            CtrlRequest.SnapshotCreate.class,
            create -> assertThat(create.hooks()).isEqualTo(hooks));
  }

  private static String[] with(String[] more, String... words) {
    var all = new ArrayList<>(List.of(words));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  @Test
  void refusesHooksWhereNothingIsTaken() {
    var run =
        CommandRun.of(new FakeEngine(), "snapshot", "create", "d", "--storage", "/s", "--pre", "x");
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("--take");
  }

  @Test
  void sendsAResizeWithAndWithoutASize() {
    assertThat(asked("resize d 10G --force --reconnect"))
        .isEqualTo(new CtrlRequest.Resize("d", OptionalLong.of(10L << 30), true, true));
    assertThat(asked("resize d"))
        .isEqualTo(new CtrlRequest.Resize("d", OptionalLong.empty(), false, false));
  }

  @Test
  void sendsTheCommandsOfChangeTracking() {
    assertThat(asked("cbt info d")).isEqualTo(new CtrlRequest.CbtInfo("d"));
    assertThat(asked("cbt map d --since 7 --until m"))
        .isEqualTo(new CtrlRequest.CbtMap("d", Optional.of("7"), Optional.of("m"), 0));
    assertThat(asked("cbt mark d 0:8 2048:1"))
        .isEqualTo(
            new CtrlRequest.CbtMark("d", List.of(new SectorRange(0, 8), new SectorRange(2048, 1))));
  }

  @Test
  void sendsParametersAsTheyAreWrittenForTheEngineToJudge() {
    assertThat(asked("param get x")).isEqualTo(new CtrlRequest.ParamGet("x"));
    assertThat(asked("param set x -1")).isEqualTo(new CtrlRequest.ParamSet("x", "-1"));
    assertThat(asked("param set x lots")).isEqualTo(new CtrlRequest.ParamSet("x", "lots"));
  }

  @Test
  void asksForTheWholeTreeOrThePartThatWasNamed() {
    assertThat(asked("status")).isEqualTo(new CtrlRequest.Status("/"));
    assertThat(asked("status sys/block/")).isEqualTo(new CtrlRequest.Status("/sys/block"));
    assertThat(asked("cat /sys/module/../x")).isEqualTo(new CtrlRequest.Cat("/sys/x"));
  }

  @Test
  void takesTheCommonOptionsBeforeAndBehindTheCommand() {
    var engine = new FakeEngine();
    assertThat(CommandRun.of(engine, "-o", "json", "devices").out()).startsWith("{\"devices\":");
    assertThat(CommandRun.of(engine, "devices", "-o", "json").out()).startsWith("{\"devices\":");
    assertThat(CommandRun.of(engine, "snapshot", "-o", "json", "list").out())
        .startsWith("{\"snapshots\":");
  }

  @Test
  void asksForTheProcessBeforeItUnloads() {
    var engine = new FakeEngine();
    CommandRun.of(engine, "unload", "--force");
    assertThat(engine.requests())
        .containsExactly(new CtrlRequest.ModInfo(), new CtrlRequest.Unload(true));
  }

  /** What is said of it; the engine is not asked. */
  private static String refused(String line) {
    var engine = new FakeEngine();
    var run = CommandRun.of(engine, line.split(" "));
    assertThat(run.code()).isEqualTo(2);
    assertThat(engine.requests()).isEmpty();
    return run.err();
  }

  private static CtrlRequest asked(String line) {
    return asked(line.split(" "));
  }

  private static CtrlRequest asked(String... args) {
    var engine = new FakeEngine();
    var run = CommandRun.of(engine, args);
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    return engine.requests().getLast();
  }
}
