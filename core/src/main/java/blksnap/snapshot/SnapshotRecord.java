package blksnap.snapshot;

import blksnap.cbt.CbtMap;
import blksnap.diffarea.FullPolicy;
import blksnap.diffstorage.Location;
import blksnap.diffstorage.StorageTable;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.SectorRange;
import blksnap.state.Fields;
import blksnap.tracker.TrackerTable;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;

/**
 * What is remembered of a snapshot.
 *
 * @param phase how far it had come
 * @param sequence orders takes: of two areas of a device the one with the higher is newer; 0 before
 *     the first try
 * @param storage number of its diff storage
 * @param pauseNanos how long the take held writers
 * @param consistency empty before the take
 */
record SnapshotRecord(
    UUID id,
    SnapshotConfig config,
    Phase phase,
    long sequence,
    int storage,
    UUID bootId,
    Optional<Instant> takenAt,
    OptionalLong pauseNanos,
    Optional<Consistency> consistency,
    List<Part> parts) {

  enum Phase {
    CREATED,
    /**
     * Its areas may be in use already; a restart hands down what they hold and goes back to
     * created.
     */
    TAKING,
    TAKEN
  }

  /**
   * One device.
   *
   * @param area empty before the take
   * @param lost why a load could not read it; from then on nothing was kept for it
   */
  record Part(String device, Optional<Area> area, Optional<Errno> lost) {
    Part(String device, Optional<Area> area) {
      this(device, area, Optional.empty());
    }
  }

  /**
   * @param contentId of the device at the take
   * @param generation of the device's change map before the take
   * @param number of the interval that the take ended
   * @param logged whether its mappings are kept beside this record
   */
  record Area(
      UUID id,
      UUID contentId,
      UUID generation,
      int number,
      long sizeBytes,
      int chunkShift,
      boolean logged,
      boolean syncEach) {}

  SnapshotRecord {
    parts = List.copyOf(parts);
  }

  SnapshotRecord withLimit(ImageLimit limit) {
    return new SnapshotRecord(
        id,
        config.with(limit),
        phase,
        sequence,
        storage,
        bootId,
        takenAt,
        pauseNanos,
        consistency,
        parts);
  }

  SnapshotRecord withLost(String device, Errno cause) {
    List<Part> now =
        parts.stream()
            .map(part ->
                part.device.equals(device) ? new Part(device, part.area, Optional.of(cause)) : part)
            .toList();
    return new SnapshotRecord(
        id, config, phase, sequence, storage, bootId, takenAt, pauseNanos, consistency, now);
  }

  Fields toFields() {
    List<Fields> entries = new ArrayList<>();
    for (Part part : parts) {
      var entry = new Fields().put("device", part.device);
      part.area.ifPresent(area ->
          entry
              .put("area", area.id.toString())
              .put("content_id", area.contentId.toString())
              .put("generation", area.generation.toString())
              .put("number", area.number)
              .put("size", area.sizeBytes)
              .put("chunk_shift", area.chunkShift)
              .put("logged", area.logged)
              .put("sync_each", area.syncEach));
      part.lost.ifPresent(cause -> entry.put("lost", lower(cause)));
      entries.add(entry);
    }
    var fields =
        new Fields()
            .put("id", id.toString())
            .put("name", config.name())
            .put("durability", lower(config.durability()))
            .put("wait", config.onFull().waits())
            .put("wait_ms", config.onFull().longestMillis())
            .put("phase", lower(phase))
            .put("sequence", sequence)
            .put("storage", storage)
            .put("boot_id", bootId.toString())
            .put("pause_ns", pauseNanos)
            .put("parts", entries);
    if (!config.imageLimit().equals(ImageLimit.NONE)) {
      fields
          .put("image_iops", config.imageLimit().requestsPerSecond())
          .put("image_rate", config.imageLimit().bytesPerSecond());
    }
    takenAt.ifPresent(at -> fields.put("taken_at", at.toString()));
    consistency.ifPresent(c ->
        fields.put("file_system_consistent", c.fileSystem()).put("consistency_reason", c.reason()));
    return fields;
  }

  private static String lower(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  /**
   * Reads and judges what {@link #toFields} made: names become paths and numbers become sizes, so
   * nothing is taken that we would not have written.
   *
   * @throws BlkSnapException {@code EBADMSG} naming the field
   */
  static SnapshotRecord of(Fields fields) throws BlkSnapException {
    Phase phase = fields.word("phase", Phase.class);
    List<Part> parts = new ArrayList<>();
    Set<String> devices = new HashSet<>();
    for (Fields entry : fields.list("parts")) {
      Optional<Area> area = entry.has("area") ? Optional.of(area(entry)) : Optional.empty();
      String device = entry.text("device");
      require(TrackerTable.NAME.matcher(device).matches() && devices.add(device), "device", device);
      require(area.isPresent() == (phase != Phase.CREATED), "area", "of " + device);
      parts.add(
          new Part(
              device,
              area,
              entry.has("lost") ? Optional.of(entry.word("lost", Errno.class)) : Optional.empty()));
    }
    String name = fields.text("name");
    require(name.isEmpty() || TrackerTable.NAME.matcher(name).matches(), "name", name);
    int storage = fields.smallNumber("storage");
    require(StorageTable.isNumber(storage), "storage", storage);
    long sequence = fields.number("sequence");
    require(sequence >= 0 && sequence < Long.MAX_VALUE, "sequence", sequence);
    OptionalLong wait = fields.optionalNumber("wait_ms");
    require(wait.isEmpty() || wait.getAsLong() > 0, "wait_ms", wait);
    return new SnapshotRecord(
        fields.uuid("id"),
        new SnapshotConfig(
            name,
            fields.word("durability", Durability.class),
            new FullPolicy(fields.flag("wait"), wait),
            imageLimit(fields)),
        phase,
        sequence,
        storage,
        fields.uuid("boot_id"),
        fields.has("taken_at") ? Optional.of(time(fields.text("taken_at"))) : Optional.empty(),
        fields.optionalNumber("pause_ns"),
        consistency(fields),
        parts);
  }

  /** Absent where there is none, and in records of an engine that kept none. */
  private static ImageLimit imageLimit(Fields fields) throws BlkSnapException {
    if (!fields.has("image_iops")) {
      return ImageLimit.NONE;
    }
    long requests = fields.number("image_iops");
    long bytes = fields.number("image_rate");
    require(ImageLimit.mayBe(requests, bytes), "image_rate", requests + " and " + bytes);
    return new ImageLimit(requests, bytes);
  }

  private static Optional<Consistency> consistency(Fields fields) throws BlkSnapException {
    if (fields.has("consistency_reason")) {
      return Optional.of(
          new Consistency(
              fields.flag("file_system_consistent"), fields.text("consistency_reason")));
    }
    // Of an engine that knew no hooks.
    return fields.has("taken_at") ? Optional.of(Consistency.UNASKED) : Optional.empty();
  }

  private static Area area(Fields entry) throws BlkSnapException {
    long size = entry.number("size");
    require(size > 0 && size % SectorRange.SECTOR_BYTES == 0, "size", size);
    int chunkShift = entry.smallNumber("chunk_shift");
    require(
        chunkShift >= Location.BLOCK_SHIFT && chunkShift < Integer.SIZE, "chunk_shift", chunkShift);
    int number = entry.smallNumber("number");
    require(number > 0 && number <= CbtMap.MAX_NUMBER, "number", number);
    return new Area(
        entry.uuid("area"),
        entry.uuid("content_id"),
        entry.uuid("generation"),
        number,
        size,
        chunkShift,
        entry.flag("logged"),
        entry.flag("sync_each"));
  }

  private static void require(boolean right, String field, Object value) throws BlkSnapException {
    if (!right) {
      throw new BlkSnapException(
          Errno.EBADMSG, "field '" + field + "' of a snapshot's record cannot be " + value);
    }
  }

  private static Instant time(String text) throws BlkSnapException {
    try {
      return Instant.parse(text);
    } catch (DateTimeParseException e) {
      throw new BlkSnapException(Errno.EBADMSG, "'" + text + "' in a record is no time", e);
    }
  }
}
