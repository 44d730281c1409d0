package blksnap.ctrl;

import blksnap.error.Errno;
import blksnap.eventqueue.EventQueue;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.status.StatusNode;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;

/** What an engine answers when it did what was asked. */
public sealed interface CtrlReply {
  record Done() implements CtrlReply {}

  /**
   * @param version {@code major.minor.revision.build}
   */
  record VersionInfo(String version) implements CtrlReply {}

  record ModuleInfo(
      String name,
      String version,
      String license,
      String description,
      String initstate,
      long pid,
      String runDirectory,
      String stateDirectory,
      List<ParamEntry> parameters)
      implements CtrlReply {
    public ModuleInfo {
      parameters = List.copyOf(parameters);
    }
  }

  record ParamEntry(
      String name,
      long value,
      long defaultValue,
      long minimum,
      long maximum,
      String description,
      String takesEffect) {}

  record Params(List<ParamEntry> parameters) implements CtrlReply {
    public Params {
      parameters = List.copyOf(parameters);
    }
  }

  /**
   * @param warnings sentences for the user, such as a size that was rounded down
   */
  record Attached(DeviceEntry device, List<String> warnings) implements CtrlReply {
    public Attached {
      warnings = List.copyOf(warnings);
    }
  }

  /**
   * @param clients who use it now, for people
   * @param snapshots names or UUIDs of the snapshots that hold it
   */
  record DeviceEntry(
      String name,
      String path,
      long sizeBytes,
      boolean readOnly,
      CtrlRequest.Cache cache,
      String uri,
      List<String> clients,
      List<String> snapshots) {
    public DeviceEntry {
      clients = List.copyOf(clients);
      snapshots = List.copyOf(snapshots);
    }
  }

  record DeviceList(List<DeviceEntry> devices) implements CtrlReply {
    public DeviceList {
      devices = List.copyOf(devices);
    }
  }

  /**
   * @param snapNumber the number of the latest take; 0 when there was none in this generation
   * @param dirtyBlocks blocks changed since the latest take
   */
  record CbtState(
      String device,
      long blockSize,
      long blockCount,
      long deviceCapacity,
      UUID generationId,
      int snapNumber,
      long dirtyBlocks)
      implements CtrlReply {}

  /**
   * @param ranges bytes, ascending, merged
   * @param next where the next page starts; empty on the last page
   */
  record CbtRanges(List<ByteRange> ranges, OptionalLong next) implements CtrlReply {
    public CbtRanges {
      ranges = List.copyOf(ranges);
    }
  }

  /**
   * @param bytes one a block, from the block that was asked for
   * @param blockCount blocks in the whole map
   */
  @SuppressWarnings("ArrayRecordComponent") // a page of a map on its way to a file; never compared
  record CbtBytes(byte[] bytes, long blockCount) implements CtrlReply {}

  /**
   * @param name the user's name for it, or the UUID's text
   */
  record Created(UUID id, String name) implements CtrlReply {}

  /**
   * One device of a snapshot.
   *
   * @param errno why its part is corrupt; empty while it is good
   */
  record SnapshotDevice(String device, Optional<Errno> errno) {}

  /** Bytes; {@code limit} empty: none was set. {@code free}: what is really left to be used. */
  record Storage(long capacity, long filled, OptionalLong limit, long free) {}

  /**
   * @param state {@code created} or {@code taken}
   * @param takePauseMicros how long writers were held at take
   * @param consistency {@code crash-consistent}: as after a power cut, no file system was asked to
   *     rest; empty before the take
   */
  record SnapshotEntry(
      UUID id,
      String name,
      String state,
      List<SnapshotDevice> devices,
      Optional<Instant> takenAt,
      CtrlRequest.Durability durability,
      CtrlRequest.OnFull onFull,
      OptionalLong takePauseMicros,
      Optional<String> consistency,
      Storage storage)
      implements CtrlReply {
    public SnapshotEntry {
      devices = List.copyOf(devices);
    }
  }

  record Snapshots(List<SnapshotEntry> snapshots) implements CtrlReply {
    public Snapshots {
      snapshots = List.copyOf(snapshots);
    }
  }

  /**
   * @param image the export's name, {@code device@snapshot}
   */
  record ImageEntry(String device, String image, long sizeBytes, String uri) {}

  record Images(List<ImageEntry> images) implements CtrlReply {
    public Images {
      images = List.copyOf(images);
    }
  }

  record SnapshotEvent(EventQueue.Stamped event) implements CtrlReply {}

  record Tree(StatusNode node) implements CtrlReply {}

  record Value(String value) implements CtrlReply {}

  record LogLines(List<LogRing.Line> lines) implements CtrlReply {
    public LogLines {
      lines = List.copyOf(lines);
    }
  }
}
