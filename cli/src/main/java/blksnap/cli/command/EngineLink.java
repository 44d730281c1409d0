package blksnap.cli.command;

import blksnap.ctrl.CtrlHandler;
import java.io.Closeable;
import java.io.IOException;

/** The way to an engine: its control socket, or an engine in this process. One thread at a time. */
public interface EngineLink extends Closeable {
  /**
   * Who answers; opened at the first call and kept.
   *
   * @throws blksnap.error.BlkSnapException why no engine can be reached
   */
  CtrlHandler engine() throws IOException, InterruptedException;

  /** Makes links for the directories and the way that a command line asks for. */
  @FunctionalInterface
  interface Opener {
    EngineLink open(Directories directories, boolean embedded) throws IOException;
  }
}
