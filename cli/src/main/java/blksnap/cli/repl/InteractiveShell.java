package blksnap.cli.repl;

import blksnap.cli.command.Directories;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.TreePath;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.UserInterruptException;
import org.jline.reader.impl.LineReaderImpl;
import org.jline.terminal.Terminal;
import picocli.CommandLine.Model.CommandSpec;

/** Reads lines from a terminal, with history and completion, until Ctrl-D or {@code exit}. */
final class InteractiveShell {
  private static final String NAME = "blksnap";

  /** Lines of history kept, in memory and in the file. */
  private static final int HISTORY_LINES = 1000;

  /** Until the prompt is drawn, nothing else shall need a processor. */
  private static final long PROMPT_NANOS = 50_000_000;

  private final ShellSession session;
  private final Terminal terminal;
  private boolean making;

  /** An engine was there. */
  private boolean seen;

  /** It is not there any more. */
  private boolean lost;

  InteractiveShell(ShellSession session, Terminal terminal) {
    this.session = session;
    this.terminal = terminal;
  }

  /** Returns the exit code of the last line that ran. */
  int run() throws IOException {
    int code = ExitCodes.DONE;
    try (var live = new LiveValues(session.link())) {
      live.askAhead();
      LineReader reader = reader(live);
      reader.getWidgets().put(LineReader.CALLBACK_INIT, this::makeCommands);
      terminal.handle(Terminal.Signal.INT, _ -> session.interrupt());
      while (!session.isOver()) {
        List<String> words;
        try {
          reader.readLine(prompt(live));
          words = reader.getParsedLine().words();
        } catch (UserInterruptException e) {
          continue;
        } catch (EndOfFileException e) {
          break;
        }
        if (!words.isEmpty() && !words.getFirst().isEmpty() && !words.getFirst().startsWith("#")) {
          code = session.execute(words);
        }
      }
    }
    return code;
  }

  /**
   * Makes the commands while the first line is typed: the prompt does not wait for them, nor, as a
   * rule, the first key that needs them.
   */
  private boolean makeCommands() {
    if (!making) {
      making = true;
      var maker =
          new Thread(
              () -> {
                LockSupport.parkNanos(this, PROMPT_NANOS);
                session.tree();
              },
              "blksnap-shell-commands");
      maker.setDaemon(true);
      maker.start();
    }
    return true;
  }

  /** Says where the user stands, and what the engine does if that is not to serve. */
  private String prompt(LiveValues live) {
    TreePath place = session.context().place();
    return NAME + state(live) + (place.isRoot() ? "" : ":" + place.text()) + "> ";
  }

  private String state(LiveValues live) {
    if (session.link().isEmbedded()) {
      return "[embedded]";
    }
    LiveValues.State state = live.state();
    boolean there = state != LiveValues.State.ABSENT;
    if (there && lost) {
      terminal.writer().println("blksnap: an engine is there again");
    } else if (!there && seen && !lost) {
      terminal
          .writer()
          .println("blksnap: the engine went away; it is looked for again before each line");
    }
    seen |= there;
    lost = seen && !there;
    return switch (state) {
      case LIVE -> "";
      case GOING -> "[going]";
      case ABSENT -> "[not loaded]";
    };
  }

  private LineReader reader(LiveValues live) throws IOException {
    Supplier<CommandSpec> commands = () -> session.tree().getCommandSpec();
    var words = new WordCompleter(commands, live, session.context()::place);
    Path history = history();
    Map<String, Object> variables =
        Map.of(
            LineReader.SECONDARY_PROMPT_PATTERN, "> ",
            LineReader.HISTORY_FILE, history,
            LineReader.HISTORY_SIZE, HISTORY_LINES,
            LineReader.HISTORY_FILE_SIZE, HISTORY_LINES);
    LineReaderImpl reader;
    if (session.context().outPalette().enabled()) {
      reader = new LineReaderImpl(terminal, NAME, new HashMap<>(variables));
      reader.setHighlighter(new LineHighlighter(commands));
    } else {
      reader = new PlainReader(terminal, NAME, new HashMap<>(variables));
    }
    reader.setHistory(new LineHistory());
    reader.setParser(ShellSession.parser());
    reader.setCompleter(new LineCompleter(words));
    reader.setOpt(LineReader.Option.DISABLE_EVENT_EXPANSION); // "!" is a character like others
    reader.setOpt(LineReader.Option.HISTORY_IGNORE_DUPS);
    reader.setOpt(LineReader.Option.HISTORY_IGNORE_SPACE);
    return reader;
  }

  /** The user's own file, made private before anything is written to it. */
  private Path history() throws IOException {
    Path file = Directories.userState(session.context().environment()).resolve("history");
    Path directory = file.getParent();
    if (directory != null) {
      Files.createDirectories(directory);
    }
    var owner = PosixFilePermissions.fromString("rw-------");
    FileChannel.open(
            file,
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND),
            PosixFilePermissions.asFileAttribute(owner))
        .close();
    Files.setPosixFilePermissions(file, owner); // it may have been there, and open to others
    return file;
  }
}
