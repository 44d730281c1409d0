package blksnap.tracker;

import blksnap.error.BlkSnapException;
import blksnap.linux.FileStatus;
import blksnap.state.Fields;
import java.util.UUID;

/**
 * What is remembered of a device across loads.
 *
 * @param path absolute
 * @param attached whether the next load attaches it again
 * @param clean whether it was closed in order: the stamps are then those of its last moment
 * @param bootId of the machine when it was last in use
 * @param contentId stays while every change of the content came through us; an area of another one
 *     is corrupt
 */
record DeviceRecord(
    String path,
    boolean readOnly,
    boolean direct,
    boolean attached,
    boolean clean,
    UUID bootId,
    UUID contentId,
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
    return new DeviceRecord(path, readOnly, direct, stayAttached, inOrder, bootId, contentId, now);
  }

  DeviceRecord withContent(UUID id) {
    return new DeviceRecord(path, readOnly, direct, attached, clean, bootId, id, stamps);
  }

  Fields toFields() {
    return new Fields()
        .put("path", path)
        .put("read_only", readOnly)
        .put("direct", direct)
        .put("attached", attached)
        .put("clean", clean)
        .put("boot_id", bootId.toString())
        .put("content_id", contentId.toString())
        .put("device", stamps.device)
        .put("inode", stamps.inode)
        .put("rdevice", stamps.rdevice)
        .put("size", stamps.sizeBytes)
        .put("modified_ns", stamps.modifiedNanos)
        .put("changed_ns", stamps.changedNanos);
  }

  static DeviceRecord of(Fields fields) throws BlkSnapException {
    return new DeviceRecord(
        fields.text("path"),
        fields.flag("read_only"),
        fields.flag("direct"),
        fields.flag("attached"),
        fields.flag("clean"),
        fields.uuid("boot_id"),
        fields.uuid("content_id"),
        new Stamps(
            fields.number("device"),
            fields.number("inode"),
            fields.number("rdevice"),
            fields.number("size"),
            fields.number("modified_ns"),
            fields.number("changed_ns")));
  }
}
