package blksnap.ctrl;

import blksnap.ctrl.CtrlCodec.Answer;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.net.ConnectException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * A client's end of the control socket. Safe from many threads, which take turns; {@link #close}
 * from another thread, or an interrupt, ends a call that waits, and the connection with it.
 */
public final class CtrlClient implements CtrlHandler, Closeable {
  private final Path path;
  private final SocketChannel socket;
  private final LineChannel channel;
  private final Optional<Consumer<String>> trace;

  /**
   * Held for a whole call, across its I/O: there is one request at a time. Guards {@link #lastId}.
   */
  private final ReentrantLock calls = new ReentrantLock();

  private long lastId;

  /** Closed while another thread's call was under way. */
  private volatile boolean cancelled;

  private CtrlClient(Path path, SocketChannel channel, Optional<Consumer<String>> trace) {
    this.path = path;
    this.socket = channel;
    this.channel = new LineChannel(channel, CtrlCodec.MAX_REPLY_BYTES);
    this.trace = trace;
  }

  /**
   * Connects to the engine that listens at {@code socket}.
   *
   * @throws BlkSnapException {@code ENOENT} or {@code ECONNREFUSED} when there is none; {@code
   *     EACCES} when it is not for this user; {@code ENAMETOOLONG}
   */
  public static CtrlClient connect(Path socket) throws IOException {
    return new CtrlClient(socket, open(socket), Optional.empty());
  }

  /**
   * As {@link #connect(Path)}.
   *
   * @param trace sees each line: sent ones after {@code "--> "}, received ones after {@code "<-- "}
   */
  public static CtrlClient connect(Path socket, Consumer<String> trace) throws IOException {
    return new CtrlClient(socket, open(socket), Optional.of(trace));
  }

  private static SocketChannel open(Path socket) throws IOException {
    try {
      return SocketChannel.open(UnixDomainSocketAddress.of(socket));
    } catch (ConnectException e) {
      throw notLoaded(Errno.ECONNREFUSED, socket, e);
    } catch (ClosedByInterruptException e) {
      throw e;
    } catch (IOException e) { // the JDK's text depends on the locale, so the file is asked
      throw refused(socket, e);
    }
  }

  private static BlkSnapException refused(Path socket, IOException cause) {
    int bytes = socket.toString().getBytes(StandardCharsets.UTF_8).length;
    if (bytes > CtrlSocket.MAX_PATH_BYTES) {
      return new BlkSnapException(
          Errno.ENAMETOOLONG,
          "the socket path " + socket + " has more than " + CtrlSocket.MAX_PATH_BYTES + " bytes",
          cause);
    }
    try {
      Files.getLastModifiedTime(socket);
    } catch (NoSuchFileException _) {
      return notLoaded(Errno.ENOENT, socket, cause);
    } catch (AccessDeniedException _) {
      return notAllowed(socket, cause);
    } catch (IOException e) {
      return new BlkSnapException(Errno.EIO, "no answer at " + socket + ": " + e, e);
    }
    return Files.isWritable(socket)
        ? new BlkSnapException(
            Errno.EIO, "no answer at " + socket + ": " + cause.getMessage(), cause)
        : notAllowed(socket, cause);
  }

  private static BlkSnapException notLoaded(Errno errno, Path socket, IOException cause) {
    return new BlkSnapException(errno, "no engine is loaded (no answer at " + socket + ")", cause)
        .withHint("blksnap load");
  }

  private static BlkSnapException notAllowed(Path socket, IOException cause) {
    return new BlkSnapException(
            Errno.EACCES, "the engine at " + socket + " is not for this user", cause)
        .withHint("use it as the user that loaded it, or as root");
  }

  /**
   * Asks the engine, and waits for its answer as long as it takes.
   *
   * @throws BlkSnapException what the engine refused, or {@code EPIPE} when it went away, {@code
   *     ECANCELED} when this client was closed, {@code EBADMSG} or {@code EPROTO} when the answer
   *     makes no sense, {@code EOVERFLOW} when the request is too long
   * @throws InterruptedException when this thread was interrupted; the client is closed then
   */
  @Override
  public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
    return call(request, Optional.empty());
  }

  @Override
  public CtrlReply handle(CtrlRequest request, CtrlWatcher watcher)
      throws IOException, InterruptedException {
    return call(request, Optional.of(watcher));
  }

  private CtrlReply call(CtrlRequest request, Optional<CtrlWatcher> progress)
      throws IOException, InterruptedException {
    calls.lockInterruptibly();
    try {
      long id = ++lastId;
      byte[] line = CtrlCodec.request(id, request, progress.isPresent(), progress.isPresent());
      if (line.length - 1 > CtrlCodec.MAX_REQUEST_BYTES) {
        throw new BlkSnapException(
                Errno.EOVERFLOW,
                "the request has "
                    + (line.length - 1)
                    + " bytes, more than the "
                    + CtrlCodec.MAX_REQUEST_BYTES
                    + " that a line may have")
            .withHint("ask in smaller parts");
      }
      send(line);
      return await(id, request, progress);
    } finally {
      calls.unlock();
    }
  }

  private void send(byte[] line) throws IOException, InterruptedException {
    if (trace.isPresent()) {
      trace.get().accept("--> " + new String(line, 0, line.length - 1, StandardCharsets.UTF_8));
    }
    try {
      channel.write(line);
    } catch (ClosedChannelException e) {
      throw aborted(e);
    } catch (IOException _) {
      // The engine does not read any more; it may have said why, so that is read before anything is
      // thrown.
    }
  }

  private CtrlReply await(long id, CtrlRequest request, Optional<CtrlWatcher> progress)
      throws IOException, InterruptedException {
    while (true) {
      Answer answer = CtrlCodec.answer(receive());
      if (answer
          instanceof
          Answer.Reply(long of, JsonFields result)) { // before the switch, which is slow to link
        checkId(OptionalLong.of(of), id);
        return ReplyJson.read(request, result);
      }
      switch (answer) {
        case Answer.Progress(long of, CtrlProgress news) -> {
          checkId(OptionalLong.of(of), id);
          if (progress.isPresent()) {
            progress.get().accept(news);
          }
        }
        case Answer.Failure(OptionalLong of, BlkSnapException why) -> {
          if (of.isPresent()) {
            checkId(of, id);
          }
          throw why;
        }
        case Answer.Reply _ -> throw new IllegalStateException("read above");
      }
    }
  }

  private byte[] receive() throws IOException, InterruptedException {
    Optional<byte[]> line;
    try {
      line = channel.read();
    } catch (ClosedChannelException e) {
      throw aborted(e);
    } catch (BlkSnapException e) {
      close(); // where the next line begins is not known
      throw e;
    } catch (IOException e) {
      throw gone(Optional.of(e));
    }
    if (line.isEmpty()) {
      throw gone(Optional.empty());
    }
    if (trace.isPresent()) {
      trace.get().accept("<-- " + new String(line.get(), StandardCharsets.UTF_8));
    }
    return line.get();
  }

  private void checkId(OptionalLong of, long wanted) throws IOException {
    if (of.getAsLong() != wanted) {
      close(); // whose answer the next one is cannot be told any more
      throw new BlkSnapException(
          Errno.EPROTO, "request " + wanted + " got the answer of request " + of.getAsLong());
    }
  }

  private BlkSnapException gone(Optional<IOException> cause) {
    String sentence = "the engine went away (no more answers at " + path + ")";
    return cause.isPresent()
        ? new BlkSnapException(Errno.EPIPE, sentence, cause.get())
        : new BlkSnapException(Errno.EPIPE, sentence);
  }

  private IOException aborted(ClosedChannelException cause) throws InterruptedException {
    if (cause instanceof ClosedByInterruptException) {
      boolean _ = Thread.interrupted();
      throw new InterruptedException("interrupted while the engine was asked");
    }
    return new BlkSnapException(
        cancelled || cause instanceof AsynchronousCloseException ? Errno.ECANCELED : Errno.EPIPE,
        "the connection to the engine was closed",
        cause);
  }

  /**
   * Asks the engine to give up what it is doing for another thread's call, which ends with {@code
   * ECANCELED} if that is possible, or with its answer. The client is of no use after that call.
   *
   * @return false when there is no call
   */
  public boolean cancel() throws IOException {
    if (!calls.isLocked()) {
      return false;
    }
    socket.shutdownOutput();
    return true;
  }

  /**
   * Hangs up; a call that waits in another thread ends with {@code ECANCELED}. Twice is harmless.
   */
  @Override
  public void close() throws IOException {
    // A call may be between sending and reading, where it meets a channel that is closed already.
    cancelled |= calls.isLocked() && !calls.isHeldByCurrentThread();
    channel.close();
  }
}
