package blksnap.ctrl;

import blksnap.sector.SectorRange;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Everything that can be asked of an engine. A snapshot is named by its UUID or its name, wherever
 * {@code id} stands. A device is named by its name. The start of either will do where only one
 * begins with it.
 */
public sealed interface CtrlRequest {
  /** Most ranges or bytes in one page of a change map. */
  int MAX_MAP_PAGE_RANGES = 10_000;

  int MAX_MAP_PAGE_BYTES = 256 << 10;

  /** Whether it does nothing but wait, so that whoever does it may be interrupted without harm. */
  default boolean onlyWaits() {
    return switch (this) {
      case SnapshotWait(_, long timeoutMillis) -> timeoutMillis > 0;
      case Dmesg(_, long waitMillis) -> waitMillis > 0;
      case Version _,
          ModInfo _,
          Unload _,
          ParamList _,
          ParamGet _,
          ParamSet _,
          Attach _,
          Detach _,
          Resize _,
          Devices _,
          CbtInfo _,
          CbtMap _,
          CbtRaw _,
          CbtMark _,
          SnapshotCreate _,
          SnapshotAdd _,
          SnapshotAppendStorage _,
          SnapshotTake _,
          SnapshotList _,
          SnapshotInfo _,
          SnapshotImages _,
          SnapshotDestroy _,
          Status _,
          Cat _,
          Echo _ ->
          false;
    };
  }

  record Version() implements CtrlRequest {}

  record ModInfo() implements CtrlRequest {}

  /** Answered with {@code Done} once the engine is going; the socket closes when it is gone. */
  record Unload(boolean force) implements CtrlRequest {}

  record ParamList() implements CtrlRequest {}

  record ParamGet(String name) implements CtrlRequest {}

  record ParamSet(String name, String value) implements CtrlRequest {}

  /**
   * @param path absolute
   * @param name empty: made from the file's name
   */
  record Attach(String path, Optional<String> name, boolean readOnly, Cache cache)
      implements CtrlRequest {}

  /** How a device's file is opened. */
  enum Cache {
    WRITEBACK,
    DIRECT
  }

  record Detach(String device) implements CtrlRequest {}

  /**
   * @param sizeBytes what the file is made to be; empty: takes over the size that it has by now
   * @param force also when that cuts something off
   * @param reconnect end the connections of the device, so that its clients see the new size
   */
  record Resize(String device, OptionalLong sizeBytes, boolean force, boolean reconnect)
      implements CtrlRequest {}

  record Devices() implements CtrlRequest {}

  record CbtInfo(String device) implements CtrlRequest {}

  /**
   * One page of the changed ranges.
   *
   * @param since a number from 0 to 255, or a snapshot's name or UUID; empty: 0, everything in this
   *     generation
   * @param until a snapshot's name or UUID: its frozen map; empty: the live map
   * @param fromOffset bytes: where the page starts; 0 first, then the {@code next} of the page
   *     before
   */
  record CbtMap(String device, Optional<String> since, Optional<String> until, long fromOffset)
      implements CtrlRequest {}

  /**
   * One page of the map's bytes, one a block.
   *
   * @param until as in {@link CbtMap}
   * @param fromBlock index of the first block wanted
   */
  record CbtRaw(String device, Optional<String> until, long fromBlock) implements CtrlRequest {}

  record CbtMark(String device, List<SectorRange> ranges) implements CtrlRequest {
    public CbtMark {
      ranges = List.copyOf(ranges);
    }
  }

  /** What a snapshot survives. */
  enum Durability {
    NONE,
    PROCESS,
    POWER
  }

  /**
   * What a writer does when there is no room to preserve old bytes.
   *
   * @param waits wait for storage rather than break the snapshot
   * @param waitSeconds longest wait, positive; empty: for ever. Only with {@code waits}
   */
  record OnFull(boolean waits, Optional<Integer> waitSeconds) {
    public static final OnFull BREAK = new OnFull(false, Optional.empty());
  }

  /**
   * What is done around a take.
   *
   * @param freeze absolute paths of mount points whose file systems rest at the instant
   * @param pre a command for the shell, run by the engine before
   * @param post one that is run after
   * @param timeoutMillis for each command, and for freezing and the instant together
   * @param bestEffort take it also when a file system cannot be frozen or {@code pre} fails
   */
  record Hooks(
      List<String> freeze,
      Optional<String> pre,
      Optional<String> post,
      long timeoutMillis,
      boolean bestEffort) {
    public static final long DEFAULT_TIMEOUT_MILLIS = 10_000;
    public static final Hooks NONE =
        new Hooks(List.of(), Optional.empty(), Optional.empty(), DEFAULT_TIMEOUT_MILLIS, false);

    public Hooks {
      freeze = List.copyOf(freeze);
    }
  }

  /**
   * How fast each image of a snapshot may be read and written.
   *
   * @param requestsPerSecond 0 for any number
   * @param bytesPerSecond 0 for any number
   */
  record ImageLimit(long requestsPerSecond, long bytesPerSecond) {
    public static final ImageLimit NONE = new ImageLimit(0, 0);
  }

  /**
   * @param storage absolute path of a file (made if missing), a directory or a block device; empty:
   *     none until some is appended, and it cannot be taken before
   * @param limitBytes most bytes of storage used; empty: what the file system or device has
   * @param take take it at once
   * @param hooks around that take; none without it
   * @param imageLimit holds from the take on, until it is changed
   */
  record SnapshotCreate(
      List<String> devices,
      String storage,
      Optional<Long> limitBytes,
      Optional<String> name,
      Durability durability,
      OnFull onFull,
      boolean take,
      Hooks hooks,
      ImageLimit imageLimit)
      implements CtrlRequest {
    public SnapshotCreate {
      devices = List.copyOf(devices);
    }

    /** Without a limit. */
    public SnapshotCreate(
        List<String> devices,
        String storage,
        Optional<Long> limitBytes,
        Optional<String> name,
        Durability durability,
        OnFull onFull,
        boolean take,
        Hooks hooks) {
      this(devices, storage, limitBytes, name, durability, onFull, take, hooks, ImageLimit.NONE);
    }

    /** Without hooks and a limit. */
    public SnapshotCreate(
        List<String> devices,
        String storage,
        Optional<Long> limitBytes,
        Optional<String> name,
        Durability durability,
        OnFull onFull,
        boolean take) {
      this(devices, storage, limitBytes, name, durability, onFull, take, Hooks.NONE);
    }
  }

  /** Adds a device to a created, not yet taken, snapshot. */
  record SnapshotAdd(String id, String device) implements CtrlRequest {}

  /**
   * @param path absolute path of a file or block device
   * @param ranges the parts of it to use; empty: all of it
   */
  record SnapshotAppendStorage(String id, String path, List<SectorRange> ranges)
      implements CtrlRequest {
    public SnapshotAppendStorage {
      ranges = List.copyOf(ranges);
    }
  }

  record SnapshotTake(String id, Hooks hooks) implements CtrlRequest {
    /** Without hooks. */
    public SnapshotTake(String id) {
      this(id, Hooks.NONE);
    }
  }

  record SnapshotList() implements CtrlRequest {}

  record SnapshotInfo(String id) implements CtrlRequest {}

  record SnapshotImages(String id) implements CtrlRequest {}

  /** Takes the oldest event; {@code ETIMEDOUT} when none came in time. */
  record SnapshotWait(String id, long timeoutMillis) implements CtrlRequest {}

  record SnapshotDestroy(String id) implements CtrlRequest {}

  /**
   * @param path of the status tree; {@code /} or empty for all of it
   */
  record Status(String path) implements CtrlRequest {}

  record Cat(String path) implements CtrlRequest {}

  /** Writes a writable attribute of the status tree. */
  record Echo(String path, String value) implements CtrlRequest {}

  /**
   * @param fromSequence first line wanted
   * @param waitMillis how long to wait for a first line; 0: not at all
   */
  record Dmesg(long fromSequence, long waitMillis) implements CtrlRequest {}
}
