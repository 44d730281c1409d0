package blksnap.qcow2;

import blksnap.error.BlkSnapException;

/** How clusters of an image are compressed, where that saves something. */
public enum Compression {
  /** They are not; such an image says deflate in its header. */
  NONE(0),
  /** Raw deflate, which every QEMU reads. */
  DEFLATE(0),
  /** A Zstandard frame each, by zstd-jni; QEMU 5.1 or later reads it. */
  ZSTD(1);

  private final int type;

  Compression(int type) {
    this.type = type;
  }

  /** Number in the header of an image. */
  int type() {
    return type;
  }

  /**
   * Makes what compresses.
   *
   * @throws BlkSnapException {@code ENOTSUP} when the library for it is missing
   */
  public Packer packer() throws BlkSnapException {
    return switch (this) {
      case NONE -> Packer.NOTHING;
      case DEFLATE -> new DeflatePacker();
      case ZSTD -> ZstdPacker.open();
    };
  }
}
