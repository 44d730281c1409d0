package blksnap.device;

import blksnap.device.BlockDevice.Extent;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.sector.ByteRange;
import java.util.List;
import java.util.Optional;

/** A block device's space: handled in its logical blocks, and without any knowledge of holes. */
final class BlockDeviceSpace implements Space {
  private final NativeFile file;
  private final int logicalBlockBytes;

  private BlockDeviceSpace(NativeFile file, int logicalBlockBytes) {
    this.file = file;
    this.logicalBlockBytes = logicalBlockBytes;
  }

  static BlockDeviceSpace of(NativeFile file) throws BlkSnapException {
    return new BlockDeviceSpace(file, file.logicalBlockBytes());
  }

  @Override
  public void discard(long offset, long length) throws BlkSnapException {
    Optional<ByteRange> blocks = wholeBlocks(offset, length);
    if (blocks.isEmpty()) {
      return;
    }
    try {
      file.blockDiscard(blocks.get().offset(), blocks.get().length());
    } catch (BlkSnapException e) {
      if (e.errno() != Errno.ENOTSUP) {
        throw e;
      }
    }
  }

  @Override
  public Optional<ByteRange> zero(long offset, long length, boolean noHole)
      throws BlkSnapException {
    Optional<ByteRange> blocks = wholeBlocks(offset, length);
    if (blocks.isPresent()) {
      zeroBlocks(blocks.get(), noHole);
    }
    return blocks;
  }

  /**
   * The kernel zeroes blocks on every device, by writing them if it must; giving them up needs a
   * device that can.
   */
  private void zeroBlocks(ByteRange blocks, boolean noHole) throws BlkSnapException {
    if (!noHole) {
      try {
        file.punchHole(blocks.offset(), blocks.length());
        return;
      } catch (BlkSnapException e) {
        if (e.errno() != Errno.ENOTSUP) {
          throw e;
        }
      }
    }
    file.blockZeroOut(blocks.offset(), blocks.length());
  }

  /** The kernel may have to write the zeroes, and does not say so before. */
  @Override
  public boolean zeroesFast(boolean noHole) {
    return false;
  }

  private Optional<ByteRange> wholeBlocks(long offset, long length) {
    long first = Math.ceilDiv(offset, logicalBlockBytes) * logicalBlockBytes;
    long end = (offset + length) / logicalBlockBytes * logicalBlockBytes;
    return first < end ? Optional.of(new ByteRange(first, end - first)) : Optional.empty();
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) {
    return List.of(new Extent(length, false));
  }

  @Override
  public void resize(long bytes) throws BlkSnapException {
    throw new BlkSnapException(
        Errno.ENOTSUP, file + " is a block device; its size can not be changed from here");
  }
}
