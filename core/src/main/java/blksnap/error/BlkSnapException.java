package blksnap.error;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What a client asked for, or a disk did, cannot be done: an errno, one sentence with the values,
 * and at times a hint. Bad arguments from our own code are {@link IllegalArgumentException}
 * instead.
 */
public final class BlkSnapException extends IOException {
  private static final long serialVersionUID = 1L;

  private final Errno errno;
  private final String hint;

  public BlkSnapException(Errno errno, String sentence) {
    this(errno, sentence, "", null);
  }

  public BlkSnapException(Errno errno, String sentence, @Nullable Throwable cause) {
    this(errno, sentence, "", cause);
  }

  private BlkSnapException(Errno errno, String sentence, String hint, @Nullable Throwable cause) {
    super(sentence, cause);
    this.errno = errno;
    this.hint = hint;
  }

  /** The same refusal, with what the user may do about it. */
  public BlkSnapException withHint(String text) {
    var hinted = new BlkSnapException(errno, sentence(), text, getCause());
    hinted.setStackTrace(getStackTrace());
    return hinted;
  }

  public Errno errno() {
    return errno;
  }

  /** One sentence with the values, without the errno's name. */
  public String sentence() {
    return String.valueOf(getMessage());
  }

  /** What to do about it, or an empty string. */
  public String hint() {
    return hint;
  }
}
