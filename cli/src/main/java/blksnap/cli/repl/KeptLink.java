package blksnap.cli.repl;

import blksnap.cli.command.Directories;
import blksnap.cli.command.EngineLink;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlWatcher;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * One way to the engine for many lines. Before each line it is tried, and opened anew when the
 * engine went away meanwhile. A line that names other directories, or an embedded engine of its
 * own, gets a way of its own. Safe from two threads.
 */
final class KeptLink implements EngineLink.Opener, Closeable {
  private final EngineLink.Opener opener;
  private final Directories directories;
  private final boolean embedded;

  /** Changed under the lock of this; read without it to cancel what is asked over it. */
  private volatile Optional<EngineLink> link = Optional.empty();

  KeptLink(EngineLink.Opener opener, Directories directories, boolean embedded) {
    this.opener = opener;
    this.directories = directories;
    this.embedded = embedded;
  }

  @Override
  public EngineLink open(Directories wanted, boolean wantsEmbedded) throws IOException {
    if (!wanted.equals(directories) || (wantsEmbedded && !embedded)) {
      return opener.open(wanted, wantsEmbedded);
    }
    return new LineLink();
  }

  /**
   * A second way to the same engine, for another thread; with an embedded engine that is the engine
   * itself.
   */
  EngineLink second() throws IOException {
    return embedded ? new LineLink() : opener.open(directories, false);
  }

  /** Whether the engine is one of this process. */
  boolean isEmbedded() {
    return embedded;
  }

  private synchronized CtrlHandler engine(Optional<Consumer<String>> trace)
      throws IOException, InterruptedException {
    if (link.isPresent()) {
      link.get().trace(trace);
    }
    if (link.isPresent() && !embedded && !answers(link.get())) {
      close();
    }
    if (link.isEmpty()) {
      EngineLink opened = opener.open(directories, embedded);
      opened.trace(trace);
      link = Optional.of(opened);
    }
    return link.get().engine();
  }

  private static boolean answers(EngineLink link) throws InterruptedException {
    try {
      return link.engine().handle(new CtrlRequest.Version()) instanceof CtrlReply.VersionInfo;
    } catch (IOException e) {
      return false;
    }
  }

  private interface Asking {
    CtrlReply ask() throws IOException, InterruptedException;
  }

  @Override
  public synchronized void close() throws IOException {
    Optional<EngineLink> closing = link;
    link = Optional.empty();
    if (closing.isPresent()) {
      closing.get().close();
    }
  }

  /** The kept way, as one line sees it: found good at the first request, left open at the end. */
  private final class LineLink implements EngineLink {
    private volatile Optional<CtrlHandler> handler = Optional.empty();
    private Optional<Consumer<String>> trace = Optional.empty();

    @Override
    public void trace(Optional<Consumer<String>> wanted) {
      trace = wanted;
    }

    @Override
    public CtrlHandler engine() throws IOException, InterruptedException {
      if (handler.isEmpty()) {
        CtrlHandler engine = KeptLink.this.engine(trace);
        handler = Optional.of(asking(engine));
      }
      return handler.get();
    }

    private CtrlHandler asking(CtrlHandler engine) {
      return new CtrlHandler() {
        @Override
        public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
          return ask(() -> engine.handle(request));
        }

        @Override
        public CtrlReply handle(CtrlRequest request, CtrlWatcher watcher)
            throws IOException, InterruptedException {
          return ask(() -> engine.handle(request, watcher));
        }
      };
    }

    /**
     * What was interrupted may have left half an answer behind; what was cancelled has no way on.
     */
    private CtrlReply ask(Asking asking) throws IOException, InterruptedException {
      try {
        return asking.ask();
      } catch (BlkSnapException e) {
        if (e.errno() == Errno.ECANCELED) {
          drop();
        }
        throw e;
      } catch (IOException | InterruptedException e) {
        drop();
        throw e;
      }
    }

    /** The line may have more to ask, to give back what it took: it gets another way for that. */
    private void drop() throws IOException {
      if (!embedded) {
        handler = Optional.empty();
        KeptLink.this.close();
      }
    }

    @Override
    public boolean cancel() throws IOException {
      Optional<EngineLink> asked = link;
      return asked.isPresent() && asked.get().cancel();
    }

    @Override
    public void close() {}
  }
}
