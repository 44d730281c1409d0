package blksnap.cli;

import blksnap.cli.command.EngineLink;
import blksnap.cli.command.Environment;
import blksnap.cli.testing.Environments;
import blksnap.ctrl.CtrlHandler;
import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;

/** What one line printed and how it ended. */
record CommandRun(int code, String out, String err) {
  static CommandRun of(CtrlHandler engine, String... args) {
    return of(engine, Environments.user(), "", args);
  }

  static CommandRun of(CtrlHandler engine, Environment environment, String input, String... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code =
        Main.run(
            args,
            environment,
            (_, _) -> link(engine),
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
