package blksnap.defects;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlClient;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.engine.Engine;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Defects of loading, unloading and the control interface. */
class ControlDefectsTest {
  private static final int BLOCK = 4096;

  @TempDir Path directory;

  private TestEngine controlled() throws IOException {
    return new TestEngine(directory, TestEngine.config(directory, TestEngine.SMALL, true));
  }

  private Path socket() {
    return directory.resolve("run/ctrl.sock");
  }

  // D10
  @Test
  void aWaitForAnEventIsCountedInMilliseconds() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.zeroes(64 * BLOCK));
      engine.create("s1", "vm1");
      long start = System.nanoTime();

      refused(Errno.ETIMEDOUT, () -> engine.ask(new CtrlRequest.SnapshotWait("s1", 200)), "200 ms");

      long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
      assertThat(millis).as("neither ticks nor seconds").isBetween(150L, 30_000L);
    }
  }

  // D12
  @Test
  void aLoadThatFailsHalfwayCanBeRepeated() throws IOException {
    Path inTheWay = Files.createDirectories(directory.resolve("run/ctrl.sock/in-the-way"));
    refusedLoad("ctrl");
    refusedLoad("ctrl");

    Files.delete(inTheWay);
    Files.delete(inTheWay.getParent());
    try (var engine = controlled()) {
      assertThat(engine.cat("/sys/module/blksnap/initstate")).isEqualTo("live");
    }
  }

  private void refusedLoad(String subsystem) {
    assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> controlled().close()))
        .hasMessageContaining("init of " + subsystem + " failed");
    assertThat(directory.resolve("run/nbd.sock")).doesNotExist();
    assertThat(directory.resolve("run/lock")).doesNotExist();
    assertThat(directory.resolve("state/lock")).doesNotExist();
  }

  // D13
  @Test
  void snapshotsAreReleasedWhileTheirIoPathStillStands() throws Exception {
    var lines = new ArrayList<String>();
    var engine = new TestEngine(directory);
    LogRing log = engine.engine().log();
    ExecutorService writers = Executors.newFixedThreadPool(2);
    try {
      engine.attach("vm1", Bytes.pattern(1, 0, 4 << 20));
      engine.take("s1", "vm1");
      engine.take("s2", "vm1");
      var firstBegun = new CountDownLatch(1);
      var secondBegun = new CountDownLatch(1);
      Future<Long> first = writers.submit(() -> writeUntilCutOff(engine, "vm1", firstBegun));
      Future<Long> second = writers.submit(() -> writeUntilCutOff(engine, "vm1@s1", secondBegun));
      firstBegun.await();
      secondBegun.await();

      engine.close(); // throws when a subsystem is torn down under someone who still uses it

      assertThat(first.get()).isPositive();
      assertThat(second.get()).isPositive();
    } finally {
      writers.shutdownNow();
      engine.close();
    }
    for (LogRing.Line line : log.since(0, LogRing.CAPACITY)) {
      assertThat(line.level()).as(line.text()).isNotEqualTo(LogRing.Level.ERROR);
      lines.add(line.text());
    }
    assertThat(lines)
        .containsSubsequence(
            "Unloading module",
            "sysfs: exit",
            "ctrl: exit",
            "snapshot s1: destroyed",
            "snapshot s2: destroyed",
            "tracker: exit",
            "snapimage: exit",
            "diff_io: exit",
            "Module was unloaded");
  }

  private static long writeUntilCutOff(TestEngine engine, String export, CountDownLatch begun)
      throws IOException {
    try (var client =
        blksnap.nbd.NbdTestClient.connect(engine.file("run/nbd.sock")).simple(export)) {
      for (long count = 1; ; count++) {
        try {
          if (client.write(count % 500 * 8192, Bytes.filled('w', 16)) != 0) {
            return count;
          }
        } catch (IOException e) {
          return count; // the engine hung up
        }
        begun.countDown();
      }
    }
  }

  // D14
  @Test
  void parametersOutsideTheirRangeAreRefusedAndStayAsTheyWere() throws IOException {
    try (var engine = new TestEngine(directory)) {
      for (Parameter parameter : Parameter.values()) {
        String path = "/sys/module/blksnap/parameters/" + parameter.key();
        String before = engine.cat(path);
        for (String bad :
            List.of(
                Long.toString(parameter.minimum() - 1),
                Long.toString(parameter.maximum() + 1),
                "-2147483648",
                "99999999999999999999",
                "0x10",
                "")) {
          String key = parameter.key();
          refused(
              Errno.EINVAL,
              () -> engine.ask(new CtrlRequest.ParamSet(key, bad)),
              key,
              parameter.minimum() + " to " + parameter.maximum());
          refused(Errno.EINVAL, () -> engine.ask(new CtrlRequest.Echo(path, bad)), key);
        }
        assertThat(engine.cat(path)).isEqualTo(before);
      }
    }
  }

  // D15
  @Test
  void anUnknownMethodGetsAnErrorAndNoAnswerOfAnother() throws IOException {
    try (var engine = controlled()) {
      for (String method : List.of("snapshot.resize", "size", "", "version ", "Version")) {
        String reply =
            RawControl.ask(
                socket(), "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" + method + "\"}");
        assertThat(reply).contains("\"id\":7", "\"error\"", "ENOSYS").doesNotContain("result");
      }
      assertThat(engine.cat("/sys/module/blksnap/initstate")).isEqualTo("live");
    }
  }

  // D20
  @Test
  void anEventNamesTheLongestDeviceNameInFull() throws Exception {
    String longest = "d".repeat(64);
    try (var engine = controlled();
        var client = CtrlClient.connect(socket())) {
      engine.attach(longest, Bytes.repeated('a', 64 * BLOCK));
      engine.takeWithin(16 << 10, "s".repeat(64), longest);
      engine.write(longest, 0, Bytes.repeated('b', 64 * BLOCK));

      Event event;
      do {
        var reply = client.handle(new CtrlRequest.SnapshotWait("s".repeat(64), 10_000));
        event = ((CtrlReply.SnapshotEvent) reply).event().event();
      } while (!(event instanceof Event.Corrupted));
      assertThat(event).isEqualTo(new Event.Corrupted(longest, Errno.ENOSPC));
    }
  }

  // D22
  @Test
  void aListHoldsAllOfThemHoweverManyThereAre() throws Exception {
    int count = 70;
    try (var engine = controlled();
        var client = CtrlClient.connect(socket())) {
      for (int i = 0; i < count; i++) {
        engine.attach("disk" + i, Bytes.zeroes(4 * BLOCK));
        engine.create("snap" + i, "disk" + i);
      }

      assertThat(((CtrlReply.DeviceList) client.handle(new CtrlRequest.Devices())).devices())
          .hasSize(count);
      var snapshots = (CtrlReply.Snapshots) client.handle(new CtrlRequest.SnapshotList());
      assertThat(snapshots.snapshots()).hasSize(count);
      assertThat(snapshots.snapshots())
          .extracting(CtrlReply.SnapshotEntry::id)
          .doesNotHaveDuplicates();
    }
  }

  // D12
  @Test
  void aSecondEngineIsRefusedAndDoesNotHarmTheFirst() throws IOException {
    try (var engine = controlled()) {
      refused(
          Errno.EEXIST,
          () -> Engine.load(TestEngine.config(directory, TestEngine.SMALL, true)),
          directory.toString());
      assertThat(engine.cat("/sys/module/blksnap/initstate")).isEqualTo("live");
      assertThat(socket()).exists();
    }
  }
}
