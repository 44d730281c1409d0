package blksnap.tracker;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.FileStatus;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.UUID;

/**
 * What is remembered of a device across loads.
 *
 * @param path absolute
 * @param attached whether the next load attaches it again
 * @param clean whether it was closed in order: the stamps are then those of its last moment
 * @param bootId of the machine when it was last in use
 */
record DeviceRecord(
    String path,
    boolean readOnly,
    boolean direct,
    boolean attached,
    boolean clean,
    UUID bootId,
    Stamps stamps) {

  /** By what a changed file is known. */
  record Stamps(
      long device,
      long inode,
      long rdevice,
      long sizeBytes,
      long modifiedNanos,
      long changedNanos) {
    static Stamps of(FileStatus status, long sizeBytes) {
      return new Stamps(
          status.device(),
          status.inode(),
          status.rdevice(),
          sizeBytes,
          status.modifiedNanos(),
          status.changedNanos());
    }

    boolean isBlockDevice() {
      return rdevice != 0;
    }

    /** The same file or device, of the same size, whatever was written to it. */
    boolean sameFile(Stamps other) {
      return isBlockDevice() == other.isBlockDevice()
          && (isBlockDevice()
              ? rdevice == other.rdevice
              : device == other.device && inode == other.inode)
          && sizeBytes == other.sizeBytes;
    }
  }

  DeviceRecord closed(boolean stayAttached, boolean inOrder, Stamps now) {
    return new DeviceRecord(path, readOnly, direct, stayAttached, inOrder, bootId, now);
  }

  JsonObject toJson() {
    var json = new JsonObject();
    json.addProperty("path", path);
    json.addProperty("read_only", readOnly);
    json.addProperty("direct", direct);
    json.addProperty("attached", attached);
    json.addProperty("clean", clean);
    json.addProperty("boot_id", bootId.toString());
    json.addProperty("device", stamps.device);
    json.addProperty("inode", stamps.inode);
    json.addProperty("rdevice", stamps.rdevice);
    json.addProperty("size", stamps.sizeBytes);
    json.addProperty("modified_ns", stamps.modifiedNanos);
    json.addProperty("changed_ns", stamps.changedNanos);
    return json;
  }

  /**
   * @throws BlkSnapException {@code EBADMSG} when a field is missing or of another type
   */
  static DeviceRecord fromJson(JsonObject json) throws BlkSnapException {
    try {
      return new DeviceRecord(
          field(json, "path").getAsString(),
          field(json, "read_only").getAsBoolean(),
          field(json, "direct").getAsBoolean(),
          field(json, "attached").getAsBoolean(),
          field(json, "clean").getAsBoolean(),
          UUID.fromString(field(json, "boot_id").getAsString()),
          new Stamps(
              field(json, "device").getAsLong(),
              field(json, "inode").getAsLong(),
              field(json, "rdevice").getAsLong(),
              field(json, "size").getAsLong(),
              field(json, "modified_ns").getAsLong(),
              field(json, "changed_ns").getAsLong()));
    } catch (IllegalArgumentException | IllegalStateException | UnsupportedOperationException e) {
      throw new BlkSnapException(Errno.EBADMSG, "device record " + json + " is damaged", e);
    }
  }

  private static JsonElement field(JsonObject json, String name) {
    JsonElement field = json.get(name);
    if (field == null) {
      throw new IllegalArgumentException("no field " + name);
    }
    return field;
  }
}
