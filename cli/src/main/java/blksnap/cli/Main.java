package blksnap.cli;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import blksnap.cli.command.EngineLink;
import blksnap.cli.command.Environment;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.SocketLink;
import blksnap.cli.daemon.EmbeddedLink;
import blksnap.cli.output.Failure;
import blksnap.cli.output.Palette;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import picocli.CommandLine;

/** Runs one command line and ends with its exit code. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    var out = writer(FileDescriptor.out, false);
    var err = writer(FileDescriptor.err, true);
    InputStream in = new FileInputStream(FileDescriptor.in);
    tellUncaught(args, err);
    int code;
    try {
      code = run(args, Environment.ofProcess(), opener(), in, out, err);
    } catch (RuntimeException | Error e) { // nobody foresaw it, and nobody wants to see its stack
      tell(args, e, err);
      code = ExitCodes.FAILED;
    }
    end(code);
  }

  /**
   * Ends the process. An exit that is asked for looks through every jar for a logger that may want
   * to know of it, which takes longer than most commands; a main that returns does not.
   */
  private static void end(int code) {
    if (code != ExitCodes.DONE || Thread.activeCount() > 1) { // or it would wait for the others
      System.exit(code);
    }
  }

  /** A thread that dies says so in a line. */
  static void tellUncaught(String[] args, PrintWriter err) {
    Thread.setDefaultUncaughtExceptionHandler((_, thrown) -> tell(args, thrown, err));
  }

  private static void tell(String[] args, Throwable thrown, PrintWriter err) {
    Failure.of(thrown).print(err, new Palette(false));
    if (List.of(args).contains("--debug")) {
      thrown.printStackTrace(err);
    }
  }

  /** The ways to an engine that there are. */
  static EngineLink.Opener opener() {
    return (directories, embedded) ->
        embedded ? new EmbeddedLink(directories) : new SocketLink(directories.ctrlSocket());
  }

  /** Runs one line; what it prints is flushed when this returns. */
  static int run(
      String[] args,
      Environment environment,
      EngineLink.Opener opener,
      InputStream in,
      PrintWriter out,
      PrintWriter err) {
    var context = new CommandContext(environment, opener, in, out, err, Defaults.ONE_SHOT);
    CommandLine line = new CommandTree(context).forArguments(args);
    int code = line.execute(args);
    try {
      context.close();
    } catch (IOException e) {
      code = Math.max(code, new CommandErrors(context).tell(e));
    }
    err.flush();
    boolean lost = out.checkError();
    return lost && code == ExitCodes.DONE ? ExitCodes.FAILED : code;
  }

  /** UTF-8 whatever the locale: names and JSON must come out as they are. */
  private static PrintWriter writer(FileDescriptor descriptor, boolean autoFlush) {
    var bytes = new FileOutputStream(descriptor);
    return new PrintWriter(new OutputStreamWriter(bytes, StandardCharsets.UTF_8), autoFlush);
  }
}
