package blksnap.cli.output;

import blksnap.ctrl.CtrlReply;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.status.StatusNode;

/**
 * Prints replies in one form. What is streamed has a method for one item, so that nothing is kept
 * until the end.
 */
public interface OutputPrinter {
  /** A whole reply; nothing but an empty object in JSON when the reply says nothing but "done". */
  void print(CtrlReply reply);

  /** The value of one parameter. */
  void parameter(CtrlReply.ParamEntry parameter);

  /**
   * A part of the status tree.
   *
   * @param path where it stands, {@code /} for all of it
   */
  void tree(String path, StatusNode node);

  /** The entries of one directory of the status tree, or the one attribute. */
  void listing(StatusNode node);

  /** One line of a log that is being followed. */
  void logLine(LogRing.Line line);

  /** Starts a change map of unknown length; the caller closes it after the last range. */
  RangeStream ranges();

  /** Receives the ranges of a change map, ascending. */
  interface RangeStream extends AutoCloseable {
    void add(ByteRange range);

    /** Prints what belongs behind the last range. */
    @Override
    void close();
  }
}
