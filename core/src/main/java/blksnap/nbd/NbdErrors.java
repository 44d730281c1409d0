package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;

/** Our errors in the words of the protocol, which knows few. */
final class NbdErrors {
  private NbdErrors() {}

  /** The number a failed request is answered with. */
  static int ofRequest(Errno errno) {
    Errno sent =
        switch (errno) {
          case EPERM, EACCES, EROFS -> Errno.EPERM;
          case ENOSPC, EFBIG -> Errno.ENOSPC;
          case EINVAL, ERANGE, ENOTSUP, EOVERFLOW -> Errno.EINVAL;
          case ENOMEM -> Errno.ENOMEM;
          case ESHUTDOWN -> Errno.ESHUTDOWN;
          default -> Errno.EIO;
        };
    return sent.number();
  }

  /** The reply type a failed option is answered with. */
  static int ofOption(Errno errno) {
    return switch (errno) {
      case EINVAL -> NbdProtocol.REP_ERR_INVALID;
      case ENOTSUP -> NbdProtocol.REP_ERR_UNSUP;
      case ENAMETOOLONG, EOVERFLOW -> NbdProtocol.REP_ERR_TOO_BIG;
      case ESHUTDOWN -> NbdProtocol.REP_ERR_SHUTDOWN;
      case EPERM, EACCES, EBUSY -> NbdProtocol.REP_ERR_POLICY;
      default -> NbdProtocol.REP_ERR_UNKNOWN;
    };
  }

  /** What went wrong, as one of ours: anything a device throws without an errno is {@code EIO}. */
  static BlkSnapException wrap(Throwable failure) {
    return switch (failure) {
      case BlkSnapException known -> known;
      case IOException e -> new BlkSnapException(Errno.EIO, "the device failed: " + e, e);
      default -> new BlkSnapException(Errno.EIO, "internal error: " + failure, failure);
    };
  }
}
