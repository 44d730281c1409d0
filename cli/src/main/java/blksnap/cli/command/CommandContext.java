package blksnap.cli.command;

import blksnap.cli.live.LiveView;
import blksnap.cli.live.Progress;
import blksnap.cli.live.ProgressBar;
import blksnap.cli.live.ProgressLines;
import blksnap.cli.live.Screen;
import blksnap.cli.live.Waiting;
import blksnap.cli.output.Failure;
import blksnap.cli.output.JsonPrinter;
import blksnap.cli.output.OutputFormat;
import blksnap.cli.output.OutputPrinter;
import blksnap.cli.output.Palette;
import blksnap.cli.output.PlainPrinter;
import blksnap.cli.output.Printable;
import blksnap.cli.output.TablePrinter;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.util.Optional;
import org.jline.terminal.Terminal;

/**
 * What a command works with: the options of its line, the environment, the engine, the place in the
 * status tree, and where it prints. One for a process, or for a shell's whole session. One thread.
 */
public final class CommandContext implements Closeable {
  /** Characters of a line of the protocol that are shown. */
  private static final int MAX_SHOWN_LINE = 4096;

  private final Environment environment;
  private final EngineLink.Opener opener;
  private final InputStream in;
  private final PrintWriter out;
  private final PrintWriter err;
  private final CommonOptions options = new CommonOptions();
  private final Defaults defaults;

  /** Written by the one thread; another one reads it to cancel. */
  private volatile Optional<EngineLink> link = Optional.empty();

  /** The engine does something that it may be asked to give up. */
  private volatile boolean cancellable;

  private boolean ownEngine;
  private TreePath place = TreePath.ROOT;
  private Optional<Terminal> terminal = Optional.empty();
  private int ownColumns;

  public CommandContext(
      Environment environment,
      EngineLink.Opener opener,
      InputStream in,
      PrintWriter out,
      PrintWriter err,
      Defaults defaults) {
    this.environment = environment;
    this.opener = opener;
    this.in = in;
    this.out = out;
    this.err = err;
    this.defaults = defaults;
  }

  /** The options of the line that is being run. */
  public CommonOptions options() {
    return options;
  }

  public Environment environment() {
    return environment;
  }

  public EngineLink.Opener opener() {
    return opener;
  }

  public InputStream in() {
    return in;
  }

  public PrintWriter out() {
    return out;
  }

  public PrintWriter err() {
    return err;
  }

  /** Goes on as if the line had said {@code -o json}, also for what it may fail with. */
  public void useJson() {
    options.useJson();
  }

  public OutputFormat format() {
    return options.format().orElse(defaults.format());
  }

  private ColorMode color() {
    return options.color().orElse(defaults.color());
  }

  /** Whether stack traces and the exchange with the engine are wanted. */
  public boolean debug() {
    return options.debug() || defaults.debug();
  }

  /** Whether the line was typed into our own shell. */
  public boolean inShell() {
    return defaults.shell();
  }

  public Palette outPalette() {
    return new Palette(color().enabled(environment, environment.terminalOut()));
  }

  public Palette errPalette() {
    return new Palette(color().enabled(environment, environment.terminalErr()));
  }

  public OutputPrinter printer() {
    return printer(format());
  }

  public OutputPrinter printer(OutputFormat wanted) {
    return switch (wanted) {
      case TABLE -> new TablePrinter(out, outPalette(), environment.isUtf8());
      case PLAIN -> new PlainPrinter(out);
      case JSON -> new JsonPrinter(out);
    };
  }

  /** Views are drawn on this terminal, which our own shell reads its lines from. */
  public void drawOn(Terminal shells) {
    terminal = Optional.of(shells);
  }

  /**
   * Shows something again at intervals: in place for a person at a terminal who did not ask for
   * another form, else as blocks.
   */
  public int show(LiveView view) throws IOException, InterruptedException {
    if (isScreen()) {
      out.flush();
      try (Screen screen = terminal.isPresent() ? Screen.on(terminal.get()) : Screen.ofProcess()) {
        view.run(screen);
      }
    } else {
      view.run(out, format() != OutputFormat.JSON, this::outputIsGone);
    }
    return ExitCodes.DONE;
  }

  /** Whether {@link #show(LiveView)} draws in place. */
  boolean isScreen() {
    return format() == OutputFormat.TABLE
        && environment.terminalIn()
        && environment.terminalOut()
        && isCapable();
  }

  /** Whether the terminal, if there is one, can do more than print. */
  private boolean isCapable() {
    return environment.variable("TERM").filter(kind -> !kind.equals("dumb")).isPresent();
  }

  /** Columns of the terminal that output goes to, or of one as it was always made. */
  int columns() {
    if (terminal.isPresent()) {
      return terminal.get().getWidth() > 0 ? terminal.get().getWidth() : Window.USUAL_COLUMNS;
    }
    if (ownColumns == 0) {
      ownColumns = Window.columns(environment);
    }
    return ownColumns;
  }

  /** Tells whoever waits how far the command is: on stderr, so that the output stays whole. */
  public Progress progress() {
    if (format() == OutputFormat.JSON) {
      return new ProgressLines(err, System::nanoTime);
    }
    return environment.terminalErr() && isCapable()
        ? new ProgressBar(err, System::nanoTime, this::columns, environment.isUtf8())
        : Progress.SILENT;
  }

  /** Tells whoever waits what is done now, of something whose end nobody knows. */
  public Waiting waiting(String stage) {
    return new Waiting(stage, progress());
  }

  /** Prints a warning on stderr. */
  public void warn(String text) {
    String line = Failure.PREFIX + "warning: " + Printable.of(text);
    err.println(errPalette().warning(line));
  }

  /** Where a shell's user stands in the status tree; the root elsewhere. */
  public TreePath place() {
    return place;
  }

  public void moveTo(TreePath newPlace) {
    place = newPlace;
  }

  public Directories directories() throws BlkSnapException {
    return Directories.of(options, environment);
  }

  /**
   * Asks the engine, and insists on the kind of reply that belongs to the request.
   *
   * @throws BlkSnapException what the engine refused, or {@code EPROTO} when it answered something
   *     else
   */
  public <R extends CtrlReply> R ask(CtrlRequest request, Class<R> kind)
      throws IOException, InterruptedException {
    CtrlReply reply = handle(request);
    if (!kind.isInstance(reply)) {
      throw new BlkSnapException(
          Errno.EPROTO,
          "the engine answered "
              + request.getClass().getSimpleName()
              + " with "
              + reply.getClass().getSimpleName()
              + " instead of "
              + kind.getSimpleName());
    }
    return kind.cast(reply);
  }

  /** Asks the engine and prints what it answers. */
  public int show(CtrlRequest request) throws IOException, InterruptedException {
    CtrlReply reply = handle(request);
    printer().print(reply);
    return ExitCodes.DONE;
  }

  /** Where no engine is loaded, the next request is answered by one inside this process. */
  public void useOwnEngineIfNoneIsLoaded() {
    ownEngine = true;
  }

  private EngineLink open() throws IOException, InterruptedException {
    EngineLink opened = opener.open(directories(), options.embedded());
    if (!ownEngine || options.embedded()) {
      return opened;
    }
    try {
      opened.engine();
      return opened;
    } catch (BlkSnapException e) {
      if (e.errno() != Errno.ENOENT && e.errno() != Errno.ECONNREFUSED) {
        throw e;
      }
      return opener.open(directories(), true);
    }
  }

  private CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
    if (link.isEmpty()) {
      EngineLink opened = open();
      link = Optional.of(opened);
      opened.trace(debug() ? Optional.of(this::showExchange) : Optional.empty());
    }
    CtrlHandler engine = link.get().engine();
    if (!isLengthy(request)) {
      return engine.handle(request);
    }
    cancellable = true;
    try (Progress progress = progress()) {
      return engine.handle(request, progress::accept);
    } finally {
      cancellable = false;
    }
  }

  /**
   * Asks the engine to give up what it does for the command that runs; from any thread.
   *
   * @return false when it does nothing that could be given up
   */
  public boolean cancel() throws IOException {
    Optional<EngineLink> asked = link;
    return cancellable && asked.isPresent() && asked.get().cancel();
  }

  private void showExchange(String line) {
    String shown =
        line.length() <= MAX_SHOWN_LINE
            ? line
            : line.substring(0, MAX_SHOWN_LINE) + "... (" + line.length() + " characters)";
    err.println(Printable.of(shown));
  }

  /**
   * Whether it may last long enough for somebody to want to know how far it is, or to cancel it.
   */
  private static boolean isLengthy(CtrlRequest request) {
    return request instanceof CtrlRequest.SnapshotCreate // a switch costs every start some time
        || request instanceof CtrlRequest.SnapshotTake
        || request instanceof CtrlRequest.SnapshotDestroy
        || request instanceof CtrlRequest.Resize;
  }

  /** Whether whoever read the output has gone; a command that prints for ever ends then. */
  public boolean outputIsGone() {
    return out.checkError();
  }

  /** Gives the engine back; the next request opens it anew. */
  @Override
  public void close() throws IOException {
    Optional<EngineLink> closing = link;
    link = Optional.empty();
    if (closing.isPresent()) {
      closing.get().close();
    }
  }
}
