package blksnap.cli.command;

import blksnap.ctrl.CtrlHandler;
import java.io.Closeable;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Consumer;

/** The way to an engine: its control socket, or an engine in this process. One thread at a time. */
public interface EngineLink extends Closeable {
  /**
   * Who answers; opened at the first call and kept.
   *
   * @throws blksnap.error.BlkSnapException why no engine can be reached
   */
  CtrlHandler engine() throws IOException, InterruptedException;

  /**
   * Asks the engine to give up what another thread asks it for now, and to leave everything as it
   * was before. That thread learns whether it could.
   *
   * @return false when that cannot be asked; an interrupt ends what waits then
   */
  default boolean cancel() throws IOException {
    return false;
  }

  /**
   * Shows what is asked and answered, of whoever calls {@link #engine} from now on.
   *
   * @param trace sees requests behind {@code "--> "} and answers behind {@code "<-- "}; empty: no
   *     longer
   */
  default void trace(Optional<Consumer<String>> trace) throws IOException {}

  /** Makes links for the directories and the way that a command line asks for. */
  @FunctionalInterface
  interface Opener {
    EngineLink open(Directories directories, boolean embedded) throws IOException;
  }
}
