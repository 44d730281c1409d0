package blksnap.snapshot;

import blksnap.diffarea.FullPolicy;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.time.Instant;
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
   * @param logged whether its mappings are kept beside this record
   */
  record Area(UUID id, long sizeBytes, int chunkShift, boolean logged, boolean syncEach) {}

  SnapshotRecord {
    parts = List.copyOf(parts);
  }

  JsonObject toJson() {
    var json = new JsonObject();
    json.addProperty("id", id.toString());
    json.addProperty("name", config.name());
    json.addProperty("durability", config.durability().name().toLowerCase(Locale.ROOT));
    json.addProperty("wait", config.onFull().waits());
    config.onFull().longestMillis().ifPresent(millis -> json.addProperty("wait_ms", millis));
    json.addProperty("phase", phase.name().toLowerCase(Locale.ROOT));
    json.addProperty("sequence", sequence);
    json.addProperty("storage", storage);
    json.addProperty("boot_id", bootId.toString());
    takenAt.ifPresent(at -> json.addProperty("taken_at", at.toString()));
    pauseNanos.ifPresent(nanos -> json.addProperty("pause_ns", nanos));
    var array = new JsonArray();
    for (Part part : parts) {
      var entry = new JsonObject();
      entry.addProperty("device", part.device);
      part.area.ifPresent(area -> {
        entry.addProperty("area", area.id.toString());
        entry.addProperty("size", area.sizeBytes);
        entry.addProperty("chunk_shift", area.chunkShift);
        entry.addProperty("logged", area.logged);
        entry.addProperty("sync_each", area.syncEach);
      });
      array.add(entry);
    }
    json.add("parts", array);
    return json;
  }

  /**
   * @throws BlkSnapException {@code EBADMSG} when a field is missing or of another type
   */
  static SnapshotRecord fromJson(JsonObject json) throws BlkSnapException {
    try {
      List<Part> parts = new ArrayList<>();
      for (JsonElement element : field(json, "parts").getAsJsonArray()) {
        JsonObject entry = element.getAsJsonObject();
        Optional<Area> area =
            entry.has("area")
                ? Optional.of(
                    new Area(
                        uuid(entry, "area"),
                        field(entry, "size").getAsLong(),
                        field(entry, "chunk_shift").getAsInt(),
                        field(entry, "logged").getAsBoolean(),
                        field(entry, "sync_each").getAsBoolean()))
                : Optional.empty();
        parts.add(new Part(field(entry, "device").getAsString(), area));
      }
      var onFull =
          new FullPolicy(
              field(json, "wait").getAsBoolean(),
              json.has("wait_ms")
                  ? OptionalLong.of(json.get("wait_ms").getAsLong())
                  : OptionalLong.empty());
      return new SnapshotRecord(
          uuid(json, "id"),
          new SnapshotConfig(
              field(json, "name").getAsString(),
              Durability.valueOf(upper(json, "durability")),
              onFull),
          Phase.valueOf(upper(json, "phase")),
          field(json, "sequence").getAsLong(),
          field(json, "storage").getAsInt(),
          uuid(json, "boot_id"),
          json.has("taken_at")
              ? Optional.of(Instant.parse(json.get("taken_at").getAsString()))
              : Optional.empty(),
          json.has("pause_ns")
              ? OptionalLong.of(json.get("pause_ns").getAsLong())
              : OptionalLong.empty(),
          parts);
    } catch (
        RuntimeException e) { // whatever Gson and the parsers throw for a field of another type
      throw new BlkSnapException(Errno.EBADMSG, "snapshot record " + json + " is damaged", e);
    }
  }

  private static JsonElement field(JsonObject json, String name) {
    JsonElement field = json.get(name);
    if (field == null) {
      throw new IllegalArgumentException("no field " + name);
    }
    return field;
  }

  private static UUID uuid(JsonObject json, String name) {
    return UUID.fromString(field(json, name).getAsString());
  }

  private static String upper(JsonObject json, String name) {
    return field(json, name).getAsString().toUpperCase(Locale.ROOT);
  }
}
