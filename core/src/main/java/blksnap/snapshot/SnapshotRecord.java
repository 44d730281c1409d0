package blksnap.snapshot;

import blksnap.diffarea.FullPolicy;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.state.Fields;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
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
   */
  record Part(String device, Optional<Area> area) {}

  /**
   * @param contentId of the device at the take
   * @param logged whether its mappings are kept beside this record
   */
  record Area(
      UUID id, UUID contentId, long sizeBytes, int chunkShift, boolean logged, boolean syncEach) {}

  SnapshotRecord {
    parts = List.copyOf(parts);
  }

  Fields toFields() {
    List<Fields> entries = new ArrayList<>();
    for (Part part : parts) {
      var entry = new Fields().put("device", part.device);
      part.area.ifPresent(area ->
          entry
              .put("area", area.id.toString())
              .put("content_id", area.contentId.toString())
              .put("size", area.sizeBytes)
              .put("chunk_shift", area.chunkShift)
              .put("logged", area.logged)
              .put("sync_each", area.syncEach));
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
    takenAt.ifPresent(at -> fields.put("taken_at", at.toString()));
    consistency.ifPresent(c ->
        fields.put("file_system_consistent", c.fileSystem()).put("consistency_reason", c.reason()));
    return fields;
  }

  private static String lower(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  static SnapshotRecord of(Fields fields) throws BlkSnapException {
    List<Part> parts = new ArrayList<>();
    for (Fields entry : fields.list("parts")) {
      Optional<Area> area =
          entry.has("area")
              ? Optional.of(
                  new Area(
                      entry.uuid("area"),
                      entry.uuid("content_id"),
                      entry.number("size"),
                      entry.smallNumber("chunk_shift"),
                      entry.flag("logged"),
                      entry.flag("sync_each")))
              : Optional.empty();
      parts.add(new Part(entry.text("device"), area));
    }
    return new SnapshotRecord(
        fields.uuid("id"),
        new SnapshotConfig(
            fields.text("name"),
            fields.word("durability", Durability.class),
            new FullPolicy(fields.flag("wait"), fields.optionalNumber("wait_ms"))),
        fields.word("phase", Phase.class),
        fields.number("sequence"),
        fields.smallNumber("storage"),
        fields.uuid("boot_id"),
        fields.has("taken_at") ? Optional.of(time(fields.text("taken_at"))) : Optional.empty(),
        fields.optionalNumber("pause_ns"),
        consistency(fields),
        parts);
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

  private static Instant time(String text) throws BlkSnapException {
    try {
      return Instant.parse(text);
    } catch (DateTimeParseException e) {
      throw new BlkSnapException(Errno.EBADMSG, "'" + text + "' in a record is no time", e);
    }
  }
}
