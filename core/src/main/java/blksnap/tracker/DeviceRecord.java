package blksnap.tracker;

import blksnap.device.FileBlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.linux.DiskFacts;
import blksnap.linux.FileStatus;
import blksnap.state.Fields;
import java.util.OptionalLong;
import java.util.UUID;

/**
 * What is remembered of a device across loads.
 *
 * @param path absolute
 * @param attached whether the next load attaches it again
 * @param clean whether it was closed in order: the stamps and the sample are then those of its last
 *     moment
 * @param mapLost whether a mark could not be stored: the map is not to be trusted
 * @param bootId of the machine when it was last in use
 * @param contentId stays while every change of the content came through us; an area of another one
 *     is corrupt
 * @param sample checksum of its {@link ContentSample}, when it was closed in order
 * @param resizing the size that it is being given; empty while it keeps its size
 */
record DeviceRecord(
    String path,
    boolean readOnly,
    boolean direct,
    boolean attached,
    boolean clean,
    boolean mapLost,
    UUID bootId,
    UUID contentId,
    OptionalLong sample,
    OptionalLong resizing,
    Stamps stamps) {

  /**
   * By what a changed file or device is known.
   *
   * @param bornNanos when the file was made, nanoseconds since 1970; 0 when unknown
   * @param disk of a block device
   */
  record Stamps(
      long device,
      long inode,
      long bornNanos,
      long rdevice,
      DiskFacts disk,
      long sizeBytes,
      long modifiedNanos,
      long changedNanos) {
    static Stamps of(FileBlockDevice original) throws BlkSnapException {
      FileStatus status = original.status();
      return new Stamps(
          status.device(),
          status.inode(),
          status.bornNanos(),
          status.rdevice(),
          original.diskFacts(),
          original.sizeBytes(),
          status.modifiedNanos(),
          status.changedNanos());
    }

    boolean isBlockDevice() {
      return rdevice != 0;
    }

    Stamps withSize(long bytes) {
      return new Stamps(
          device, inode, bornNanos, rdevice, disk, bytes, modifiedNanos, changedNanos);
    }

    /**
     * The same file or device, whatever was written to it. The number of a device may be another
     * one after the machine has restarted; then a file is known by when it was made, and a disk by
     * its serial.
     */
    boolean sameFile(Stamps other, boolean restarted) {
      if (isBlockDevice() != other.isBlockDevice()) {
        return false;
      }
      if (isBlockDevice()) {
        return disk.serial().equals(other.disk.serial())
            && (rdevice == other.rdevice || (restarted && !disk.serial().isEmpty()))
            && (restarted || disk.instance() == other.disk.instance());
      }
      return inode == other.inode
          && bornNanos == other.bornNanos
          && (device == other.device || (restarted && bornNanos != 0));
    }
  }

  /** As it is remembered once it was closed; {@code inOrder}: with nothing left to be written. */
  DeviceRecord closed(boolean stayAttached, boolean inOrder, OptionalLong sampled, Stamps now) {
    return new DeviceRecord(
        path,
        readOnly,
        direct,
        stayAttached,
        inOrder,
        mapLost,
        bootId,
        contentId,
        inOrder ? sampled : OptionalLong.empty(),
        OptionalLong.empty(),
        now);
  }

  DeviceRecord withContent(UUID id) {
    return new DeviceRecord(
        path, readOnly, direct, attached, clean, mapLost, bootId, id, sample, resizing, stamps);
  }

  DeviceRecord withLostMap() {
    return new DeviceRecord(
        path, readOnly, direct, attached, clean, true, bootId, contentId, sample, resizing, stamps);
  }

  /**
   * As it is remembered while its size changes.
   *
   * @param presentBytes what it has
   * @param to what it is to have; empty: it stays as it is
   */
  DeviceRecord withResizing(long presentBytes, OptionalLong to) {
    return new DeviceRecord(
        path,
        readOnly,
        direct,
        attached,
        clean,
        mapLost,
        bootId,
        contentId,
        sample,
        to,
        stamps.withSize(presentBytes));
  }

  /** As it would have been remembered had the change of its size come to its end. */
  DeviceRecord resized() {
    return withResizing(resizing.orElse(stamps.sizeBytes), OptionalLong.empty());
  }

  Fields toFields() {
    return new Fields()
        .put("path", path)
        .put("read_only", readOnly)
        .put("direct", direct)
        .put("attached", attached)
        .put("clean", clean)
        .put("map_lost", mapLost)
        .put("boot_id", bootId.toString())
        .put("content_id", contentId.toString())
        .put("sample", sample)
        .put("resizing", resizing)
        .put("device", stamps.device)
        .put("inode", stamps.inode)
        .put("born_ns", stamps.bornNanos)
        .put("rdevice", stamps.rdevice)
        .put("serial", stamps.disk.serial())
        .put("instance", stamps.disk.instance())
        .put("sectors_written", stamps.disk.sectorsWritten())
        .put("indirect", stamps.disk.indirect())
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
        fields.flag("map_lost"),
        fields.uuid("boot_id"),
        fields.uuid("content_id"),
        fields.optionalNumber("sample"),
        fields.optionalNumber("resizing"),
        new Stamps(
            fields.number("device"),
            fields.number("inode"),
            fields.number("born_ns"),
            fields.number("rdevice"),
            new DiskFacts(
                fields.text("serial"),
                fields.number("instance"),
                fields.number("sectors_written"),
                fields.flag("indirect")),
            fields.number("size"),
            fields.number("modified_ns"),
            fields.number("changed_ns")));
  }
}
