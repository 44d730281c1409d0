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

  /** The sizes of a device before and after. */
  record Resized(String device, long oldSizeBytes, long sizeBytes) implements CtrlReply {}

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
   * @param taken empty when it was not taken at once
   */
  record Created(UUID id, String name, Optional<Taken> taken) implements CtrlReply {
    /** Not taken. */
    public Created(UUID id, String name) {
      this(id, name, Optional.empty());
    }
  }

  /**
   * @param consistency what the images can be trusted to be
   * @param warnings sentences for the user
   */
  record Taken(Consistency consistency, List<String> warnings) implements CtrlReply {
    public Taken {
      warnings = List.copyOf(warnings);
    }
  }

  /**
   * @param word {@code filesystem-consistent}, or {@code crash-consistent}: as after a power cut
   * @param reason a clause that says why
   */
  record Consistency(String word, String reason) {}

  /**
   * One device of a snapshot.
   *
   * @param errno why its part is corrupt; empty while it is good
   */
  record SnapshotDevice(String device, Optional<Errno> errno) {}

  /**
   * Diff storage, in bytes.
   *
   * @param limit empty: none was set
   * @param free what is really left to be used
   * @param fullInSeconds at the present rate; empty while nothing is written, or not long enough to
   *     tell
   * @param trouble what was done to its files behind the engine's back, for people
   */
  record Storage(
      long capacity,
      long filled,
      OptionalLong limit,
      long free,
      OptionalLong fullInSeconds,
      Optional<String> trouble) {
    /** At rest, and well. */
    public Storage(long capacity, long filled, OptionalLong limit, long free) {
      this(capacity, filled, limit, free, OptionalLong.empty(), Optional.empty());
    }
  }

  /**
   * @param state {@code created} or {@code taken}
   * @param takePauseMicros how long writers were held at take
   * @param consistency empty before the take
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
      Optional<Consistency> consistency,
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
