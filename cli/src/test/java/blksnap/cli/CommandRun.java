package blksnap.cli;

import blksnap.cli.command.EngineLink;
import blksnap.cli.command.Environment;
import blksnap.cli.command.SocketLink;
import blksnap.cli.testing.Environments;
import blksnap.ctrl.CtrlHandler;
import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;

/** What one line printed and how it ended. */
public record CommandRun(int code, String out, String err) {
  static CommandRun of(CtrlHandler engine, String... args) {
    return of(engine, Environments.user(), "", args);
  }

  static CommandRun of(CtrlHandler engine, Environment environment, String input, String... args) {
    return of((_, _) -> link(engine), environment, input, args);
  }

  /** Runs it in this process against the engine behind the control socket of the environment. */
  public static CommandRun overSocket(Environment environment, String... args) {
    return of((directories, _) -> new SocketLink(directories.ctrlSocket()), environment, "", args);
  }

  private static CommandRun of(
      EngineLink.Opener opener, Environment environment, String input, String... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code =
        Main.run(
            args,
            environment,
            opener,
            new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
            new PrintWriter(out),
            new PrintWriter(err));
    return new CommandRun(code, out.toString(), err.toString());
  }

  private static EngineLink link(CtrlHandler engine) {
    return new EngineLink() {
      @Override
      public CtrlHandler engine() {
        return engine;
      }

      @Override
      public void close() {}
    };
  }
}
