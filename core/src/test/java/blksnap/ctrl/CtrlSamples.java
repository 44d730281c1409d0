package blksnap.ctrl;

import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.eventqueue.EventQueue;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.sector.SectorRange;
import blksnap.status.StatusNode;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;

/** Requests with a reply each: every kind of both, every optional part there and not there. */
final class CtrlSamples {
  record Exchange(CtrlRequest request, CtrlReply reply) {}

  private static final String ID = "4f1c2d3e-0a1b-4c5d-8e9f-102132435465";

  private static final CtrlReply.ParamEntry PARAMETER =
      new CtrlReply.ParamEntry(
          "chunk_minimum_shift",
          18,
          18,
          12,
          30,
          "log2 of the bytes in the smallest chunk of a diff area",
          "the next snapshot take");

  private static final CtrlReply.DeviceEntry DEVICE =
      new CtrlReply.DeviceEntry(
          "vm1",
          "/srv/vm1.img",
          10_737_418_240L,
          false,
          CtrlRequest.Cache.WRITEBACK,
          "nbd+unix:///vm1?socket=/run/blksnap/nbd.sock",
          List.of("qemu-system-x86 (pid 4711)"),
          List.of("nightly"));

  private static final CtrlReply.SnapshotEntry TAKEN =
      new CtrlReply.SnapshotEntry(
          UUID.fromString(ID),
          "nightly",
          "taken",
          List.of(
              new CtrlReply.SnapshotDevice("vm1", Optional.empty()),
              new CtrlReply.SnapshotDevice("vm2", Optional.of(Errno.ENOSPC))),
          Optional.of(Instant.parse("2026-01-31T23:00:00.123456Z")),
          CtrlRequest.Durability.PROCESS,
          new CtrlRequest.OnFull(true, Optional.of(30)),
          OptionalLong.of(412),
          Optional.of(new CtrlReply.Consistency("crash-consistent", "no file system was frozen")),
          new CtrlReply.Storage(
              1_073_741_824L,
              4_096L,
              OptionalLong.of(21_474_836_480L),
              107_374_182_400L,
              OptionalLong.of(540),
              Optional.of("/srv/diff was removed; a restart will miss it")));

  private static final CtrlReply.SnapshotEntry CREATED =
      new CtrlReply.SnapshotEntry(
          UUID.fromString(ID),
          ID,
          "created",
          List.of(),
          Optional.empty(),
          CtrlRequest.Durability.POWER,
          CtrlRequest.OnFull.BREAK,
          OptionalLong.empty(),
          Optional.empty(),
          new CtrlReply.Storage(0, 0, OptionalLong.empty(), 0));

  private static final StatusNode TREE =
      new StatusNode.Directory(
          "blksnap",
          List.of(
              new StatusNode.Attribute("version", "1.0.0.0", false),
              new StatusNode.Directory(
                  "parameters",
                  List.of(new StatusNode.Attribute("chunk_minimum_shift", "18", true)))));

  private CtrlSamples() {}

  static List<Exchange> exchanges() {
    var done = new CtrlReply.Done();
    return List.of(
        new Exchange(new CtrlRequest.Version(), new CtrlReply.VersionInfo("1.0.0.0")),
        new Exchange(
            new CtrlRequest.ModInfo(),
            new CtrlReply.ModuleInfo(
                "blksnap",
                "1.0.0.0",
                "Apache-2.0",
                "snapshots and changed block tracking",
                "live",
                4242,
                "/run/blksnap",
                "/var/lib/blksnap",
                List.of(PARAMETER))),
        new Exchange(new CtrlRequest.Unload(false), done),
        new Exchange(new CtrlRequest.ParamList(), new CtrlReply.Params(List.of(PARAMETER))),
        new Exchange(
            new CtrlRequest.ParamGet("chunk_minimum_shift"),
            new CtrlReply.Params(List.of(PARAMETER))),
        new Exchange(new CtrlRequest.ParamSet("chunk_minimum_shift", "20"), done),
        new Exchange(
            new CtrlRequest.Attach(
                "/srv/vm1.img", Optional.of("vm1"), false, CtrlRequest.Cache.WRITEBACK),
            new CtrlReply.Attached(DEVICE, List.of("the last 100 bytes are not served"))),
        new Exchange(
            new CtrlRequest.Attach(
                "/srv/vm1.img", Optional.empty(), true, CtrlRequest.Cache.DIRECT),
            new CtrlReply.Attached(DEVICE, List.of())),
        new Exchange(new CtrlRequest.Detach("vm1"), done),
        new Exchange(
            new CtrlRequest.Resize("vm1", OptionalLong.of(21_474_836_480L), false, true),
            new CtrlReply.Resized("vm1", 10_737_418_240L, 21_474_836_480L)),
        new Exchange(
            new CtrlRequest.Resize("vm1", OptionalLong.empty(), false, false),
            new CtrlReply.Resized("vm1", 10_737_418_240L, 10_737_418_240L)),
        new Exchange(new CtrlRequest.Devices(), new CtrlReply.DeviceList(List.of(DEVICE))),
        new Exchange(
            new CtrlRequest.CbtInfo("vm1"),
            new CtrlReply.CbtState(
                "vm1", 65_536, 163_840, 10_737_418_240L, UUID.fromString(ID), 7, 42)),
        new Exchange(
            new CtrlRequest.CbtMap("vm1", Optional.of("6"), Optional.of("nightly"), 0),
            new CtrlReply.CbtRanges(
                List.of(new ByteRange(0, 65_536), new ByteRange(1_048_576, 131_072)),
                OptionalLong.of(1_179_648))),
        new Exchange(
            new CtrlRequest.CbtMap("vm1", Optional.empty(), Optional.empty(), 1_179_648),
            new CtrlReply.CbtRanges(List.of(), OptionalLong.empty())),
        new Exchange(
            new CtrlRequest.CbtRaw("vm1", Optional.of("nightly"), 0),
            new CtrlReply.CbtBytes(new byte[] {7, 0, 0, -1}, 163_840)),
        new Exchange(
            new CtrlRequest.CbtRaw("vm1", Optional.empty(), 163_836),
            new CtrlReply.CbtBytes(new byte[0], 163_840)),
        new Exchange(new CtrlRequest.CbtMark("vm1", List.of(new SectorRange(2_048, 8))), done),
        new Exchange(
            new CtrlRequest.SnapshotCreate(
                List.of("vm1", "vm2"),
                "/srv/diff",
                Optional.of(21_474_836_480L),
                Optional.of("nightly"),
                CtrlRequest.Durability.PROCESS,
                new CtrlRequest.OnFull(true, Optional.of(30)),
                true,
                new CtrlRequest.Hooks(
                    List.of(), Optional.empty(), Optional.of("sync-peer"), 5_000, false),
                new CtrlRequest.ImageLimit(0, 104_857_600)),
            new CtrlReply.Created(
                UUID.fromString(ID),
                "nightly",
                Optional.of(
                    new CtrlReply.Taken(
                        new CtrlReply.Consistency("crash-consistent", "no file system was frozen"),
                        List.of("the post command ended with status 1"))))),
        new Exchange(
            new CtrlRequest.SnapshotCreate(
                List.of("vm1"),
                "/srv/diff",
                Optional.empty(),
                Optional.empty(),
                CtrlRequest.Durability.NONE,
                CtrlRequest.OnFull.BREAK,
                false),
            new CtrlReply.Created(UUID.fromString(ID), ID)),
        new Exchange(
            new CtrlRequest.SnapshotCreate(
                List.of("vm1"),
                "",
                Optional.empty(),
                Optional.empty(),
                CtrlRequest.Durability.PROCESS,
                CtrlRequest.OnFull.BREAK,
                false),
            new CtrlReply.Created(UUID.fromString(ID), ID)),
        new Exchange(new CtrlRequest.SnapshotAdd("nightly", "vm3"), done),
        new Exchange(
            new CtrlRequest.SnapshotAppendStorage(
                "nightly", "/dev/sdb", List.of(new SectorRange(0, 2_097_152))),
            done),
        new Exchange(
            new CtrlRequest.SnapshotTake("nightly"),
            new CtrlReply.Taken(
                new CtrlReply.Consistency("crash-consistent", "no file system was frozen"),
                List.of())),
        new Exchange(
            new CtrlRequest.SnapshotTake(
                "nightly",
                new CtrlRequest.Hooks(
                    List.of("/srv/mail"),
                    Optional.of("mailctl pause"),
                    Optional.of("mailctl resume"),
                    10_000,
                    true)),
            new CtrlReply.Taken(
                new CtrlReply.Consistency(
                    "filesystem-consistent", "frozen: /srv/mail; the pre command succeeded"),
                List.of())),
        new Exchange(
            new CtrlRequest.SnapshotList(), new CtrlReply.Snapshots(List.of(TAKEN, CREATED))),
        new Exchange(new CtrlRequest.SnapshotInfo("nightly"), TAKEN),
        new Exchange(
            new CtrlRequest.SnapshotImages("nightly"),
            new CtrlReply.Images(
                List.of(
                    new CtrlReply.ImageEntry(
                        "vm1",
                        "vm1@nightly",
                        10_737_418_240L,
                        "nbd+unix:///vm1@nightly?socket=/run/blksnap/nbd.sock")))),
        new Exchange(
            new CtrlRequest.SnapshotWait("nightly", 60_000),
            event(new Event.LowFreeSpace(2_097_152))),
        new Exchange(
            new CtrlRequest.SnapshotWait("nightly", 0),
            event(new Event.Corrupted("vm2", Errno.ENOSPC))),
        new Exchange(
            new CtrlRequest.SnapshotWait("nightly", 1), event(new Event.NoSpace(2_097_152))),
        new Exchange(new CtrlRequest.SnapshotWait("nightly", 2), event(new Event.FullSoon(540))),
        new Exchange(
            new CtrlRequest.SnapshotWait("nightly", 3),
            event(new Event.StorageTrouble("/srv/diff was removed; a restart will miss it"))),
        new Exchange(
            new CtrlRequest.SnapshotWait("nightly", 4),
            event(new Event.MapAtRisk("vm1", Errno.EROFS))),
        new Exchange(new CtrlRequest.SnapshotDestroy("nightly"), done),
        new Exchange(new CtrlRequest.Status("/sys/module/blksnap"), new CtrlReply.Tree(TREE)),
        new Exchange(
            new CtrlRequest.Cat("/sys/module/blksnap/version"), new CtrlReply.Value("1.0.0.0")),
        new Exchange(
            new CtrlRequest.Echo("/sys/module/blksnap/parameters/chunk_minimum_shift", "20"), done),
        new Exchange(
            new CtrlRequest.Dmesg(0, 1_000),
            new CtrlReply.LogLines(
                List.of(
                    new LogRing.Line(0, 12, LogRing.Level.INFO, "Loading"),
                    new LogRing.Line(1, 15, LogRing.Level.DEBUG, "Version 1.0.0.0")))));
  }

  private static CtrlReply event(Event event) {
    return new CtrlReply.SnapshotEvent(new EventQueue.Stamped(1_234_567_890_123L, event));
  }
}
