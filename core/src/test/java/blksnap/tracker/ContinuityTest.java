package blksnap.tracker;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.tracker.DeviceRecord.Stamps;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Times in the names of variables are milliseconds since 1970. */
class ContinuityTest {
  private static final UUID BOOT = UUID.randomUUID();
  private static final UUID CONTENT = UUID.randomUUID();
  private static final UUID OTHER_BOOT = UUID.randomUUID();
  private static final long BOOTED = 1_000_000;
  private static final long ATTACHED = 2_000_000;
  private static final long LAST_MARK = 3_000_000;
  private static final Stamps FILE = file(ATTACHED);
  private static final Stamps DISK =
      new Stamps(5, 77, 2049, 4096, nanos(ATTACHED), nanos(ATTACHED));

  private static long nanos(long millis) {
    return millis * 1_000_000;
  }

  private static Stamps file(long modified) {
    return new Stamps(1, 42, 0, 4096, nanos(modified), nanos(modified));
  }

  private static DeviceRecord record(boolean clean, Stamps stamps) {
    return new DeviceRecord("/vm1.img", false, false, true, clean, BOOT, CONTENT, stamps);
  }

  private static Continuity judge(DeviceRecord then, Stamps now, UUID boot) {
    return Continuity.judge(then, now, boot, BOOTED, LAST_MARK);
  }

  private static void expectBroken(Continuity continuity, String reasonPart) {
    assertThat(continuity).isInstanceOf(Continuity.Broken.class);
    assertThat(((Continuity.Broken) continuity).reason()).contains(reasonPart);
  }

  @Test
  void aFileClosedInOrderAndUntouchedGoesOn() {
    for (UUID boot : new UUID[] {BOOT, OTHER_BOOT}) {
      assertThat(judge(record(true, FILE), FILE, boot)).isEqualTo(new Continuity.Exact());
    }
  }

  @Test
  void aFileWrittenWhileDetachedDoesNot() {
    var later = new Stamps(1, 42, 0, 4096, nanos(ATTACHED) + 1, nanos(ATTACHED) + 1);
    expectBroken(judge(record(true, FILE), later, BOOT), "while it was not attached");
    var timeSetBack = new Stamps(1, 42, 0, 4096, nanos(ATTACHED), nanos(ATTACHED) + 1);
    expectBroken(judge(record(true, FILE), timeSetBack, BOOT), "while it was not attached");
    var older = new Stamps(1, 42, 0, 4096, nanos(ATTACHED) - 1, nanos(ATTACHED));
    expectBroken(judge(record(true, FILE), older, BOOT), "while it was not attached");
  }

  @Test
  void aBlockDeviceClosedInOrderCannotProveAnything() {
    expectBroken(judge(record(true, DISK), DISK, BOOT), "does not tell");
  }

  @Test
  void anotherFileOfTheSameNameIsNotTheDevice() {
    var inode = new Stamps(1, 43, 0, 4096, nanos(ATTACHED), nanos(ATTACHED));
    expectBroken(judge(record(true, FILE), inode, BOOT), "another file");
    var fileSystem = new Stamps(2, 42, 0, 4096, nanos(ATTACHED), nanos(ATTACHED));
    expectBroken(judge(record(false, FILE), fileSystem, BOOT), "another file");
    expectBroken(judge(record(false, FILE), DISK, BOOT), "another file");
    var disk = new Stamps(5, 77, 2050, 4096, nanos(ATTACHED), nanos(ATTACHED));
    expectBroken(judge(record(false, DISK), disk, BOOT), "another file");
  }

  @Test
  void anotherSizeIsNamedWithBoth() {
    var grown = new Stamps(1, 42, 0, 8192, nanos(ATTACHED), nanos(ATTACHED));
    expectBroken(judge(record(true, FILE), grown, BOOT), "was 4096 bytes and is 8192");
  }

  @Test
  void afterAKillOurOwnWritesAreToldFromOthers() {
    var then = record(false, FILE);
    assertThat(judge(then, file(LAST_MARK + 100), BOOT)).isEqualTo(new Continuity.Exact());
    assertThat(judge(then, file(LAST_MARK + Continuity.SLACK_MILLIS), BOOT))
        .isEqualTo(new Continuity.Exact());
    expectBroken(
        judge(then, file(LAST_MARK + Continuity.SLACK_MILLIS + 1), BOOT), "engine had died");
    assertThat(judge(record(false, DISK), DISK, BOOT)).isEqualTo(new Continuity.Exact());
  }

  @Test
  void afterAPowerLossOpenRegionsCountUnlessTheFileWasWrittenSince() {
    assertThat(judge(record(false, FILE), file(BOOTED - 1), OTHER_BOOT))
        .isEqualTo(new Continuity.AfterPowerLoss());
    expectBroken(judge(record(false, FILE), file(BOOTED + 1), OTHER_BOOT), "machine had gone down");
    assertThat(judge(record(false, DISK), DISK, OTHER_BOOT))
        .isEqualTo(new Continuity.AfterPowerLoss());
  }

  @Test
  void aBlockDeviceIsKnownByItsNumberHoweverItsNodeIsMade() {
    var otherNode = new Stamps(6, 99, 2049, 4096, nanos(LAST_MARK), nanos(LAST_MARK));
    assertThat(judge(record(false, DISK), otherNode, BOOT)).isEqualTo(new Continuity.Exact());
  }
}
