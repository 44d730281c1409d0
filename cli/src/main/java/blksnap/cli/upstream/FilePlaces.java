package blksnap.cli.upstream;

import blksnap.ctrl.CtrlReply;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.sector.ByteRange;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Where a file lies on the block device below its file system.
 *
 * @param device number of that block device
 * @param sectors of it, in the order of the file
 */
record FilePlaces(long device, List<SectorRange> sectors) {
  FilePlaces {
    sectors = List.copyOf(sectors);
  }

  /**
   * @throws BlkSnapException {@code ENODATA} when the file takes no place; {@code ENOTSUP} when its
   *     file system does not tell
   */
  static FilePlaces of(Path path) throws IOException {
    try (NativeFile file = NativeFile.open(path, Set.of(NativeFile.Flag.READ_ONLY))) {
      List<SectorRange> sectors = new ArrayList<>();
      for (ByteRange extent : file.extents()) {
        long first = extent.offset() >>> SectorRange.SECTOR_SHIFT;
        long end = (extent.end() + SectorRange.SECTOR_BYTES - 1) >>> SectorRange.SECTOR_SHIFT;
        sectors.add(new SectorRange(first, end - first));
      }
      if (sectors.isEmpty()) {
        throw new BlkSnapException(Errno.ENODATA, path + " takes no place on its device");
      }
      long device = ((Number) Files.getAttribute(path, "unix:dev")).longValue();
      return new FilePlaces(device, sectors);
    }
  }

  /** The attached device that this block device is, if it is one. */
  Optional<String> deviceAmong(List<CtrlReply.DeviceEntry> devices) {
    return devices.stream()
        .filter(entry -> numberOf(Path.of(entry.path())) == device)
        .map(CtrlReply.DeviceEntry::name)
        .findFirst();
  }

  /** The number that a block device has; 0 of what is none, or is not there. */
  private static long numberOf(Path path) {
    try {
      return ((Number) Files.getAttribute(path, "unix:rdev")).longValue();
    } catch (IOException e) {
      return 0;
    }
  }
}
