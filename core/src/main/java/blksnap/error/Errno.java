package blksnap.error;

/** The error numbers of Linux that this program reports; numbers as on x86-64 and arm64. */
public enum Errno {
  EPERM(1, "operation not permitted"),
  ENOENT(2, "no such file or directory"),
  ESRCH(3, "no such snapshot or process"),
  EINTR(4, "interrupted"),
  EIO(5, "input/output error"),
  ENXIO(6, "no such device or address"),
  EAGAIN(11, "try again"),
  ENOMEM(12, "out of memory"),
  EACCES(13, "permission denied"),
  EBUSY(16, "device or resource busy"),
  EEXIST(17, "already exists"),
  ENODEV(19, "no such device"),
  ENOTDIR(20, "not a directory"),
  EISDIR(21, "is a directory"),
  EINVAL(22, "invalid argument"),
  EMFILE(24, "too many open files"),
  EFBIG(27, "file too large"),
  ENOSPC(28, "no space left"),
  EROFS(30, "read-only file system or device"),
  EPIPE(32, "broken pipe"),
  ERANGE(34, "out of range"),
  ENAMETOOLONG(36, "name too long"),
  ENOSYS(38, "not implemented"),
  ENODATA(61, "no data available"),
  EPROTO(71, "protocol error"),
  EBADMSG(74, "bad message"),
  EOVERFLOW(75, "value too large"),
  ENOTSUP(95, "not supported"),
  EADDRINUSE(98, "address already in use"),
  ESHUTDOWN(108, "shutting down"),
  ETIMEDOUT(110, "timed out"),
  ECONNREFUSED(111, "connection refused"),
  EALREADY(114, "already done or in progress"),
  ECANCELED(125, "cancelled");

  private final int number;
  private final String meaning;

  Errno(int number, String meaning) {
    this.number = number;
    this.meaning = meaning;
  }

  /** The positive number. */
  public int number() {
    return number;
  }

  /** A few words for people, lower case, without a full stop. */
  public String meaning() {
    return meaning;
  }

  /** The error with this number; {@link #EIO} when the kernel reports one that is not listed. */
  public static Errno of(int number) {
    for (Errno errno : values()) {
      if (errno.number == number) {
        return errno;
      }
    }
    return EIO;
  }
}
