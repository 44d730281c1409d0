package blksnap.testing;

import static org.assertj.core.api.Assertions.catchThrowableOfType;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What a refusal has to look like. */
public final class Refusals {
  private Refusals() {}

  /** Does it, and expects to be refused with this errno and a sentence that holds these parts. */
  public static BlkSnapException refused(
      Errno errno, ThrowingCallable action, String... sentenceParts) {
    BlkSnapException refusal = catchThrowableOfType(BlkSnapException.class, action);
    Assertions.assertThat(refusal).as("a refusal with %s", errno).isNotNull();
    Assertions.assertThat(refusal.errno()).as(refusal.sentence()).isEqualTo(errno);
    for (String part : sentenceParts) {
      Assertions.assertThat(refusal.sentence()).contains(part);
    }
    return refusal;
  }
}
