package blksnap.device;

import blksnap.error.BlkSnapException;

/** Is told how far a long piece of work is, and may end it. */
@FunctionalInterface
public interface Course {
  /** Lets everything go its way. */
  Course UNWATCHED = (stage, done, total) -> {};

  /**
   * Called often, and cheap.
   *
   * @param stage what is being done, for people; ends with what is counted
   * @param done of {@code total} units, both not negative
   * @throws BlkSnapException {@code ECANCELED} when nobody wants it any more; whoever cannot stop
   *     where he is does not call this
   */
  void at(String stage, long done, long total) throws BlkSnapException;
}
