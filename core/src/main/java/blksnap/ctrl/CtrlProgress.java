package blksnap.ctrl;

import java.util.OptionalLong;

/**
 * How far a long request is.
 *
 * @param stage what is being done, a word or two for people
 * @param done units of work behind us, not negative
 * @param total units of work in all, at least {@code done}; empty while that is not known
 */
public record CtrlProgress(String stage, long done, OptionalLong total) {
  public CtrlProgress {
    if (done < 0 || (total.isPresent() && total.getAsLong() < done)) {
      throw new IllegalArgumentException("done " + done + " of " + total);
    }
  }
}
