package blksnap.tracker;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cbt.WriteStamps.LastWrites;
import blksnap.cbt.WriteStamps.Observation;
import blksnap.linux.DiskFacts;
import blksnap.tracker.Continuity.Left;
import blksnap.tracker.Continuity.Machine;
import blksnap.tracker.DeviceRecord.Stamps;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Times in the names of variables are milliseconds since 1970. */
class ContinuityTest {
  private static final UUID BOOT = UUID.randomUUID();
  private static final UUID OTHER_BOOT = UUID.randomUUID();
  private static final long ATTACHED = 2_000_000;
  private static final long LAST_WRITE = 3_000_000;
  private static final long LEASE = LAST_WRITE + 25_000;
  private static final long REBOOTED = LAST_WRITE + 20_000;
  private static final Stamps FILE = file(ATTACHED);
  private static final Stamps DISK = disk("dm/uuid LVM-1", 5, 800);
  private static final LastWrites NO_WRITES = new LastWrites(false, 0, 0, Optional.empty(), 0);
  private static final LastWrites ENDED =
      new LastWrites(false, LAST_WRITE - 2, LAST_WRITE, Optional.empty(), 4096);
  private static final LastWrites ON_ITS_WAY =
      new LastWrites(true, LAST_WRITE, LAST_WRITE - 9, Optional.empty(), 8192);

  private static long nanos(long millis) {
    return millis * 1_000_000;
  }

  private static Stamps file(long modified) {
    return file(modified, modified);
  }

  private static Stamps file(long modified, long changed) {
    return new Stamps(1, 42, 77, 0, DiskFacts.NONE, 4096, nanos(modified), nanos(changed));
  }

  private static Stamps disk(String serial, long instance, long sectorsWritten) {
    return disk(2049, new DiskFacts(serial, instance, sectorsWritten, false));
  }

  private static Stamps disk(long rdevice, DiskFacts facts) {
    return new Stamps(5, 77, 0, rdevice, facts, 4096, nanos(ATTACHED), nanos(ATTACHED));
  }

  private static DeviceRecord record(boolean clean, Stamps stamps) {
    return new DeviceRecord(
        "/vm1.img",
        false,
        false,
        true,
        clean,
        false,
        BOOT,
        UUID.randomUUID(),
        OptionalLong.empty(),
        OptionalLong.empty(),
        stamps);
  }

  private static DeviceRecord clean(Stamps stamps) {
    return record(true, stamps);
  }

  private static DeviceRecord inUse(Stamps stamps) {
    return record(false, stamps);
  }

  private static Continuity sameBoot(DeviceRecord then, Stamps now, LastWrites writes) {
    return Continuity.judge(then, now, new Machine(BOOT, 1_000_000), new Left(writes, LEASE));
  }

  private static Continuity rebooted(DeviceRecord then, Stamps now) {
    return Continuity.judge(
        then, now, new Machine(OTHER_BOOT, REBOOTED), new Left(NO_WRITES, LEASE));
  }

  private static void exact(Continuity continuity) {
    assertThat(continuity).isEqualTo(new Continuity.Exact());
  }

  private static void broken(Continuity continuity, String reasonPart) {
    assertThat(continuity).isInstanceOf(Continuity.Broken.class);
    assertThat(((Continuity.Broken) continuity).reason()).contains(reasonPart);
  }

  private static LastWrites observed(long begunSince, Observation observation) {
    return new LastWrites(false, LAST_WRITE, LAST_WRITE, Optional.of(observation), begunSince);
  }

  @Test
  void aFileClosedInOrderAndUntouchedGoesOn() {
    exact(sameBoot(clean(FILE), FILE, ENDED));
    exact(rebooted(clean(FILE), FILE));
  }

  @Test
  void aFileWrittenWhileDetachedDoesNot() {
    broken(sameBoot(clean(FILE), file(ATTACHED + 1), ENDED), "while it was not attached");
    var timeSetBack = file(ATTACHED, ATTACHED + 1);
    broken(sameBoot(clean(FILE), timeSetBack, ENDED), "while it was not attached");
    broken(rebooted(clean(FILE), timeSetBack), "while it was not attached");
    var older = file(ATTACHED - 1, ATTACHED);
    broken(sameBoot(clean(FILE), older, ENDED), "while it was not attached");
  }

  @Test
  void anotherFileOfTheSameNameIsNotTheDevice() {
    var inode = new Stamps(1, 43, 77, 0, DiskFacts.NONE, 4096, nanos(ATTACHED), nanos(ATTACHED));
    broken(sameBoot(clean(FILE), inode, ENDED), "another file");
    var madeAnew = new Stamps(1, 42, 78, 0, DiskFacts.NONE, 4096, nanos(ATTACHED), nanos(ATTACHED));
    broken(sameBoot(clean(FILE), madeAnew, ENDED), "another file");
    broken(rebooted(clean(FILE), madeAnew), "another file");
    broken(sameBoot(inUse(FILE), DISK, ENDED), "another file");
  }

  @Test
  void theNumberOfTheFileSystemsDeviceMayChangeWithARestartOnly() {
    var moved = new Stamps(2, 42, 77, 0, DiskFacts.NONE, 4096, nanos(ATTACHED), nanos(ATTACHED));
    exact(rebooted(clean(FILE), moved));
    broken(sameBoot(clean(FILE), moved, ENDED), "another file");
    var ageless = new Stamps(1, 42, 0, 0, DiskFacts.NONE, 4096, nanos(ATTACHED), nanos(ATTACHED));
    var agelessMoved =
        new Stamps(2, 42, 0, 0, DiskFacts.NONE, 4096, nanos(ATTACHED), nanos(ATTACHED));
    broken(rebooted(clean(ageless), agelessMoved), "another file");
  }

  @Test
  void anotherSizeIsNamedWithBoth() {
    var grown = new Stamps(1, 42, 77, 0, DiskFacts.NONE, 8192, nanos(ATTACHED), nanos(ATTACHED));
    broken(sameBoot(clean(FILE), grown, ENDED), "was 4096 bytes and is 8192");
  }

  @Test
  void aMapThatLostAMarkIsNotTrustedHoweverTheFileLooks() {
    broken(sameBoot(clean(FILE).withLostMap(), FILE, ENDED), "could not be noted");
    broken(rebooted(inUse(FILE).withLostMap(), FILE), "could not be noted");
  }

  @Test
  void afterAKillAtRestOurOwnWritesAreToldFromOthersToTheMillisecond() {
    exact(sameBoot(inUse(FILE), file(LAST_WRITE), ENDED));
    broken(sameBoot(inUse(FILE), file(LAST_WRITE + 1), ENDED), "engine had died");
    broken(sameBoot(inUse(FILE), file(LAST_WRITE - 5, LAST_WRITE + 1), ENDED), "engine had died");
  }

  @Test
  void aWriteOnItsWayAtTheKillMayStampTheFileALittleLater() {
    exact(sameBoot(inUse(FILE), file(LAST_WRITE + Continuity.SLACK_MILLIS), ON_ITS_WAY));
    broken(
        sameBoot(inUse(FILE), file(LAST_WRITE + Continuity.SLACK_MILLIS + 1), ON_ITS_WAY),
        "engine had died");
  }

  @Test
  void aFileThatWasNotWrittenAtAllMustLookAsItDid() {
    exact(sameBoot(inUse(FILE), FILE, NO_WRITES));
    broken(sameBoot(inUse(FILE), file(ATTACHED + 1), NO_WRITES), "engine had died");
    broken(sameBoot(inUse(FILE), file(ATTACHED - 1), NO_WRITES), "older than it was");
  }

  @Test
  void aFileAtRestMustLookAsItWasObserved() {
    var seen = new Observation(4096, 0, nanos(LAST_WRITE - 3), nanos(LAST_WRITE + 60_000), -1);
    var asSeen = file(LAST_WRITE - 3, LAST_WRITE + 60_000);
    exact(sameBoot(inUse(FILE), asSeen, observed(0, seen)));
    broken(
        sameBoot(inUse(FILE), file(LAST_WRITE - 2, LAST_WRITE + 60_000), observed(0, seen)),
        "engine had died");
    exact(sameBoot(inUse(FILE), file(LAST_WRITE), observed(4096, seen)));
  }

  @Test
  void afterAPowerLossOpenRegionsCountUnlessTheFileWasWrittenByOthers() {
    assertThat(rebooted(inUse(FILE), FILE)).isEqualTo(new Continuity.AfterPowerLoss());
    assertThat(rebooted(inUse(FILE), file(REBOOTED))).isEqualTo(new Continuity.AfterPowerLoss());
    broken(rebooted(inUse(FILE), file(REBOOTED + 1)), "machine had gone down");
    broken(rebooted(inUse(FILE), file(LAST_WRITE, REBOOTED + 1)), "machine had gone down");
    broken(rebooted(inUse(FILE), file(ATTACHED - 1)), "older than it was");
  }

  @Test
  void beyondTheLeaseNobodyOfUsWroteEvenBeforeTheRestart() {
    var later = new Machine(OTHER_BOOT, LEASE + 3_600_000);
    var left = new Left(NO_WRITES, LEASE);
    assertThat(Continuity.judge(inUse(FILE), file(LEASE), later, left))
        .isEqualTo(new Continuity.AfterPowerLoss());
    broken(Continuity.judge(inUse(FILE), file(LEASE + 1), later, left), "machine had gone down");
  }

  @Test
  void aDiskClosedInOrderGoesOnWhileNothingWasWrittenToIt() {
    exact(sameBoot(clean(DISK), DISK, ENDED));
    broken(
        sameBoot(clean(DISK), disk("dm/uuid LVM-1", 5, 801), ENDED), "while it was not attached");
    var uncounted = disk("dm/uuid LVM-1", 5, -1);
    broken(sameBoot(clean(uncounted), uncounted, ENDED), "does not tell");
  }

  @Test
  void aDiskThatWasTakenAwayAndPutBackIsAnotherOne() {
    broken(sameBoot(clean(DISK), disk("dm/uuid LVM-1", 6, 800), ENDED), "another file or device");
    broken(sameBoot(inUse(DISK), disk("dm/uuid LVM-2", 5, 800), ENDED), "another file or device");
  }

  @Test
  void afterARestartADiskIsKnownByItsSerialAndMustNotHaveBeenWritten() {
    var renumbered = disk(2065, new DiskFacts("dm/uuid LVM-1", 9, 0, false));
    exact(rebooted(clean(DISK), renumbered));
    assertThat(rebooted(inUse(DISK), renumbered)).isEqualTo(new Continuity.AfterPowerLoss());
    var written = disk(2065, new DiskFacts("dm/uuid LVM-1", 9, 8, false));
    broken(rebooted(clean(DISK), written), "since the machine was started");
    broken(rebooted(inUse(DISK), written), "since the machine was started");
    var nameless = disk(2049, new DiskFacts("", 5, 800, false));
    broken(rebooted(clean(nameless), disk(2065, new DiskFacts("", 9, 0, false))), "another file");
    exact(rebooted(clean(nameless), disk(2049, new DiskFacts("", 9, 0, false))));
  }

  @Test
  void aDiskThatStandsForSomethingElseProvesNothingAcrossARestart() {
    var loop = disk(1792, new DiskFacts("", 5, 800, true));
    var again = disk(1792, new DiskFacts("", 9, 0, true));
    broken(rebooted(clean(loop), again), "nothing tells");
    assertThat(rebooted(inUse(loop), again)).isEqualTo(new Continuity.AfterPowerLoss());
  }

  @Test
  void afterAKillADiskMayHaveGotNoMoreThanWhatWasOnItsWayToIt() {
    var seen = new Observation(0, 8192, 0, 0, 800);
    long most = 800 + (8192 + 4096) / 512;
    exact(sameBoot(inUse(DISK), disk("dm/uuid LVM-1", 5, most), observed(4096, seen)));
    broken(
        sameBoot(inUse(DISK), disk("dm/uuid LVM-1", 5, most + 1), observed(4096, seen)),
        "engine had died");
    var flushed = new Observation(0, 0, 0, 0, 800);
    exact(sameBoot(inUse(DISK), DISK, observed(0, flushed)));
    broken(
        sameBoot(inUse(DISK), disk("dm/uuid LVM-1", 5, 808), observed(0, flushed)),
        "engine had died");
    exact(sameBoot(inUse(DISK), disk("dm/uuid LVM-1", 5, -1), observed(0, flushed)));
  }
}
