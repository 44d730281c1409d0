package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.eventqueue.EventQueue;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands that ask more than once. */
final class StreamsTest {
  @TempDir private Path directory;

  @Test
  void joinsRangesThatTouchAcrossThePagesOfAMap() {
    var engine =
        new FakeEngine()
            .next(() -> page(OptionalLong.of(4096), new ByteRange(0, 1024), range(2048, 4096)))
            .next(() -> page(OptionalLong.of(16_384), range(4096, 8192)))
            .next(() -> page(OptionalLong.empty(), range(32_768, 65_536)));
    assertThat(CommandRun.of(engine, "cbt", "map", "vm1", "-o", "plain").out())
        .isEqualTo(
            """
            0\t1024
            2048\t6144
            32768\t32768
            """);
    assertThat(engine.requests()).containsExactly(mapFrom(0), mapFrom(4096), mapFrom(16_384));
  }

  @Test
  void printsNothingOfAMapThatIsRefused() {
    var engine = new FakeEngine().refuse(Errno.ENODEV, "there is no device vm1", "");
    assertThat(CommandRun.of(engine, "cbt", "map", "vm1", "-o", "json").out()).isEmpty();
  }

  @Test
  void refusesAMapWhosePagesDoNotAdvance() {
    var engine = new FakeEngine().next(() -> page(OptionalLong.of(0), range(0, 512)));
    assertThat(CommandRun.of(engine, "cbt", "map", "vm1", "-o", "plain"))
        .isEqualTo(
            new CommandRun(1, "", "blksnap: the page at 0 is followed by one at 0 (EPROTO)\n"));
  }

  @Test
  void writesEveryPageOfTheRawMapIntoTheFile() throws IOException {
    Path file = directory.resolve("map");
    var engine =
        new FakeEngine()
            .next(() -> new CtrlReply.CbtBytes(new byte[] {1, 2, 3}, 5))
            .next(() -> new CtrlReply.CbtBytes(new byte[] {4, 5}, 5));
    var run = CommandRun.of(engine, "cbt", "map", "vm1", "--until", "m", "--raw", file.toString());
    assertThat(run).isEqualTo(new CommandRun(0, "", ""));
    assertThat(Files.readAllBytes(file)).containsExactly(1, 2, 3, 4, 5);
    assertThat(engine.requests())
        .containsExactly(
            new CtrlRequest.CbtRaw("vm1", Optional.of("m"), 0),
            new CtrlRequest.CbtRaw("vm1", Optional.of("m"), 3));
  }

  @Test
  void keepsTheOldFileWhenTheRawMapCannotBeRead() throws IOException {
    Path file = Files.writeString(directory.resolve("map"), "old");
    var engine =
        new FakeEngine()
            .next(() -> new CtrlReply.CbtBytes(new byte[] {1}, 2))
            .refuse(Errno.EPIPE, "the engine went away", "");
    assertThat(CommandRun.of(engine, "cbt", "map", "vm1", "--raw", file.toString()).code())
        .isEqualTo(1);
    assertThat(file).hasContent("old");
    try (var files = Files.list(directory)) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void watchesUntilTheSnapshotIsGone() {
    var engine =
        new FakeEngine()
            .next(() -> new FakeEngine().handle(new CtrlRequest.SnapshotInfo("monday")))
            .next(() -> event(new Event.NoSpace(8)))
            .refuse(Errno.ETIMEDOUT, "no event", "")
            .next(() -> event(new Event.Corrupted("vm1", Errno.ENOSPC)))
            .refuse(Errno.ESRCH, "there is no snapshot", "");
    assertThat(CommandRun.of(engine, "snapshot", "watch", "monday", "-o", "plain"))
        .isEqualTo(new CommandRun(0, "no_space\t8\ncorrupted\tvm1\tENOSPC\n", ""));
    assertThat(engine.requests())
        .contains(new CtrlRequest.SnapshotInfo("monday"))
        .contains(new CtrlRequest.SnapshotWait(FakeEngine.SNAPSHOT.toString(), 10_000));
  }

  @Test
  void printsTheEventsThatUpstreamHasNot() {
    assertThat(watch("plain"))
        .isEqualTo(
            """
            full_soon\t540
            storage_trouble\t/srv/diff was removed; a restart will miss it
            map_at_risk\tvm1\tEROFS
            """);
    assertThat(watch("table"))
        .isEqualTo(
            """
            full_soon: at the present rate diff storage is full in 540 seconds
            storage_trouble: /srv/diff was removed; a restart will miss it
            map_at_risk: changes of vm1 cannot be noted safely: read-only file system or device (EROFS)
            """);
    assertThat(watch("json"))
        .isEqualTo(
            """
            {"time_ns":1,"event":"full_soon","full_in_s":540}
            {"time_ns":1,"event":"storage_trouble","trouble":"/srv/diff was removed; a restart will miss it"}
            {"time_ns":1,"event":"map_at_risk","device":"vm1","errno":"EROFS"}
            """);
  }

  private static String watch(String form) {
    return CommandRun.of(newEvents(true), "snapshot", "watch", "monday", "-o", form).out();
  }

  /** An engine whose snapshot has one event after the other, and is gone then. */
  private static FakeEngine newEvents(boolean looked) {
    var engine = new FakeEngine();
    if (looked) {
      engine.next(() -> new FakeEngine().handle(new CtrlRequest.SnapshotInfo("monday")));
    }
    return engine
        .next(() -> event(new Event.FullSoon(540)))
        .next(
            () -> event(new Event.StorageTrouble("/srv/diff was removed; a restart will miss it")))
        .next(() -> event(new Event.MapAtRisk("vm1", Errno.EROFS)))
        .refuse(Errno.ESRCH, "there is no snapshot", "");
  }

  @Test
  void doesNotShowThemUnderTheNamesOfUpstream() {
    assertThat(CommandRun.of(newEvents(true), "snapshot_watcher", "-i", "monday").out())
        .isEqualTo("Start snapshot watcher.\nSnapshot watcher finished\n");
    FakeEngine engine = newEvents(false);
    assertThat(CommandRun.of(engine, "snapshot_waitevent", "-i", "monday", "-t", "60000").out())
        .isEqualTo("result=not found\n");
    assertThat(engine.requests())
        .hasSize(4)
        .allSatisfy(request ->
            assertThat(((CtrlRequest.SnapshotWait) request).timeoutMillis())
                .isBetween(1L, 60_000L));
  }

  @Test
  void refusesToWatchASnapshotThatIsNotThere() {
    var engine = new FakeEngine().refuse(Errno.ESRCH, "there is no snapshot x", "");
    assertThat(CommandRun.of(engine, "snapshot", "watch", "x"))
        .isEqualTo(new CommandRun(1, "", "blksnap: there is no snapshot x (ESRCH)\n"));
  }

  @Test
  void endsWithOneWhenNoEventCameInTime() {
    var engine = new FakeEngine().refuse(Errno.ETIMEDOUT, "no event in 5 ms", "");
    assertThat(CommandRun.of(engine, "snapshot", "wait", "m", "--timeout", "5", "-o", "json"))
        .isEqualTo(
            new CommandRun(
                1,
                "",
                """
                {"error":{"errno":"ETIMEDOUT","number":110,"message":"no event in 5 ms"}}
                """));
  }

  @Test
  void followsTheLogAndTellsHowManyLinesItMissed() {
    var engine =
        new FakeEngine()
            .next(() -> new CtrlReply.LogLines(List.of(line(3), line(4))))
            .next(() -> new CtrlReply.LogLines(List.of()))
            .next(() -> new CtrlReply.LogLines(List.of(line(7))))
            .refuse(Errno.EPIPE, "the engine went away", "");
    assertThat(CommandRun.of(engine, "dmesg", "--follow", "-o", "plain"))
        .isEqualTo(
            new CommandRun(
                1,
                """
                0.000003\tinfo\tline 3
                0.000004\tinfo\tline 4
                0.000007\tinfo\tline 7
                """,
                """
                blksnap: 2 lines were lost
                blksnap: the engine went away (EPIPE)
                """));
    assertThat(engine.requests())
        .containsExactly(
            new CtrlRequest.Dmesg(0, 10_000),
            new CtrlRequest.Dmesg(5, 10_000),
            new CtrlRequest.Dmesg(5, 10_000),
            new CtrlRequest.Dmesg(8, 10_000));
  }

  @Test
  void printsOneObjectALineWhenTheLogIsFollowedInJson() {
    var engine =
        new FakeEngine()
            .next(() -> new CtrlReply.LogLines(List.of(line(3))))
            .refuse(Errno.EPIPE, "gone", "");
    assertThat(CommandRun.of(engine, "dmesg", "-w", "-o", "json").out())
        .isEqualTo(
            """
            {"sequence":3,"since_load_us":3,"level":"info","text":"line 3"}
            """);
  }

  @Test
  void tellsTheWarningsOfAnAttachOnStandardError() {
    var engine =
        new FakeEngine()
            .next(() ->
                new CtrlReply.Attached(
                    new CtrlReply.DeviceEntry(
                        "a",
                        "/a",
                        512,
                        false,
                        CtrlRequest.Cache.WRITEBACK,
                        "nbd+unix:///a?socket=/s",
                        List.of(),
                        List.of()),
                    List.of("the last 100 bytes are left out")));
    assertThat(CommandRun.of(engine, "attach", "/a"))
        .isEqualTo(
            new CommandRun(
                0,
                "nbd+unix:///a?socket=/s\n",
                "blksnap: warning: the last 100 bytes are left out\n"));
  }

  private static CtrlRequest mapFrom(long offset) {
    return new CtrlRequest.CbtMap("vm1", Optional.empty(), Optional.empty(), offset);
  }

  private static CtrlReply page(OptionalLong next, ByteRange... ranges) {
    return new CtrlReply.CbtRanges(List.of(ranges), next);
  }

  private static ByteRange range(long from, long to) {
    return new ByteRange(from, to - from);
  }

  private static CtrlReply event(Event event) {
    return new CtrlReply.SnapshotEvent(new EventQueue.Stamped(1, event));
  }

  private static LogRing.Line line(long sequence) {
    return new LogRing.Line(sequence, sequence, LogRing.Level.INFO, "line " + sequence);
  }
}
