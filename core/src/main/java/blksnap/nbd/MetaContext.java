package blksnap.nbd;

import java.io.IOException;
import java.util.List;

/**
 * One thing that an export can tell of its bytes besides what they are, as clients ask for it by
 * BLOCK_STATUS. Safe from many threads.
 */
public interface MetaContext {
  /** With its namespace: {@code base:allocation}. */
  String name();

  /**
   * The states of the range, ascending and without gaps from {@code offset}: at least one run, at
   * most {@code maxRuns}, so that it may stop before the range ends; nothing beyond its end.
   * Neighbours may be equal.
   *
   * @param length positive; the range lies inside the export
   */
  List<Run> status(long offset, long length, int maxRuns) throws IOException;

  /**
   * A run of bytes of one state.
   *
   * @param length bytes, positive
   * @param state what the context means by it, under 2^32
   */
  record Run(long length, long state) {
    public Run {
      if (length <= 0 || state >>> Integer.SIZE != 0) {
        throw new IllegalArgumentException(length + " bytes of state " + state);
      }
    }
  }
}
