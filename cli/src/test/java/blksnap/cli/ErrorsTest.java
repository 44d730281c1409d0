package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.Environments;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlReply;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a user reads when a line fails, and how it ends. */
final class ErrorsTest {
  @Test
  void tellsARefusalInOneSentenceWithTheErrnoAndAHint() {
    var engine = new FakeEngine().refuse(Errno.EBUSY, "vm1 is used by 1 client", "stop it first");
    assertThat(CommandRun.of(engine, "detach", "vm1"))
        .isEqualTo(
            new CommandRun(
                1,
                "",
                """
                blksnap: vm1 is used by 1 client (EBUSY)
                hint: stop it first
                """));
  }

  @Test
  void leavesOutTheHintWhenThereIsNone() {
    var engine = new FakeEngine().refuse(Errno.ENODEV, "there is no device x", "");
    assertThat(CommandRun.of(engine, "detach", "x").err())
        .isEqualTo("blksnap: there is no device x (ENODEV)\n");
  }

  @Test
  void tellsARefusalAsAnObjectWhenJsonWasAskedFor() {
    var engine = new FakeEngine().refuse(Errno.EBUSY, "vm1 is used", "stop it first");
    assertThat(CommandRun.of(engine, "detach", "vm1", "-o", "json"))
        .isEqualTo(
            new CommandRun(
                1,
                "",
                """
                {"error":{"errno":"EBUSY","number":16,"message":"vm1 is used","hint":"stop it first"}}
                """));
  }

  @Test
  void neverLetsControlCharactersOfAMessageReachTheTerminal() {
    var engine = new FakeEngine().refuse(Errno.ENODEV, "no device \u001b[31mx\n", "");
    assertThat(CommandRun.of(engine, "detach", "x").err())
        .isEqualTo("blksnap: no device \\x1b[31mx\\n (ENODEV)\n");
  }

  @Test
  void tellsAFailureOfAFileWithItsNameAndErrno() {
    var engine =
        new FakeEngine()
            .next(() -> {
              throw new AccessDeniedException("/srv/x");
            });
    assertThat(CommandRun.of(engine, "devices").err())
        .isEqualTo("blksnap: /srv/x: permission denied (EACCES)\n");
  }

  @Test
  void tellsWhatNobodyForesawWithoutAStackTrace() {
    var engine =
        new FakeEngine()
            .next(() -> {
              throw new IllegalStateException("odd");
            });
    assertThat(CommandRun.of(engine, "devices"))
        .isEqualTo(
            new CommandRun(
                1,
                "",
                """
                blksnap: internal error: IllegalStateException: odd (EIO)
                hint: run it again with --debug and report what it prints
                """));
  }

  @Test
  void printsAStackTraceOnlyWithDebug() {
    var engine =
        new FakeEngine()
            .next(() -> {
              throw new IOException("broken");
            });
    assertThat(CommandRun.of(engine, "devices", "--debug").err())
        .startsWith("blksnap: broken (EIO)\njava.io.IOException: broken\n\tat ");
  }

  @Test
  void coloursAFailureOnlyWhenTold() {
    var engine = new FakeEngine().refuse(Errno.ENODEV, "no device", "");
    assertThat(CommandRun.of(engine, "detach", "x", "--color", "always").err())
        .isEqualTo("\u001b[1;31mblksnap: no device (ENODEV)\u001b[0m\n");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          snapsho                       | unknown command 'snapsho' | did you mean 'snapshot'?
          snapshot tak x                | unknown command 'tak' | did you mean 'take'?
          take monday                   | unknown command 'take' | did you mean 'snapshot take'?
          list                          | unknown command 'list' | did you mean 'param list' or 'snapshot list' or 'backups list'?
          archive                       | unknown command 'archive' | 'blksnap --help' says what it takes
          x                             | unknown command 'x' | 'blksnap --help' says what it takes
          devices --outptu json         | unknown option '--outptu' | did you mean '--output'?
          devices --outptu=json         | unknown option '--outptu=json' | did you mean '--output'?
          devices -x                    | unknown option '-x' | 'blksnap devices --help' says what it takes
          unload --fast                 | unknown option '--fast' | 'blksnap unload --help' says what it takes
          devices extra                 | one argument too many: 'extra' | 'blksnap devices --help' says what it takes
          detach                        | missing required parameter: 'DEVICE' | 'blksnap detach --help' says what it takes
          snapshot                      | missing required subcommand | 'blksnap snapshot --help' says what it takes
          snapshot create a             | missing required option: '--storage=PATH' | 'blksnap snapshot create --help' says what it takes
          snapshot create a --storage s --limit 10X | invalid value for option '--limit': '10X' is not a size: write bytes, or a number with K, M, G, T or s (sectors) | 'blksnap snapshot create --help' says what it takes
          snapshot create a --storage s --on-full wait:0 | invalid value for option '--on-full': 'wait:0' does not wait: SECONDS must be positive | 'blksnap snapshot create --help' says what it takes
          snapshot create a --storage s --durability high | invalid value for option '--durability': 'high' is not one of none, process, power | 'blksnap snapshot create --help' says what it takes
          snapshot wait m --timeout -5  | --timeout -5 is negative | 'blksnap snapshot wait --help' says what it takes
          cbt mark vm1 5                | invalid value for positional parameter at index 1..* (SECTOR:COUNT): '5' is not of the form SECTOR:COUNT | 'blksnap cbt mark --help' says what it takes
          cbt mark vm1 5:0              | invalid value for positional parameter at index 1..* (SECTOR:COUNT): '5:0': sector count 0 is not positive | 'blksnap cbt mark --help' says what it takes
          cbt map vm1 --raw f --since 3 | --since chooses ranges and --raw writes every byte: use one of them | 'blksnap cbt map --help' says what it takes
          load --tcp 70000              | --tcp takes a port from 1 to 65535, not 70000 | 'blksnap load --help' says what it takes
          load chunk                    | 'chunk' is not of the form NAME=VALUE | 'blksnap load --help' says what it takes
          load --embedded               | --embedded engines live for one command: load starts one that stays | 'blksnap load --help' says what it takes
          devices -o xml                | invalid value for option '--output': 'xml' is not one of table, json, plain | 'blksnap devices --help' says what it takes
          completion fish               | invalid value for positional parameter at index 0 (SHELL): 'fish' is not one of bash, zsh | 'blksnap completion --help' says what it takes
          help detahc                   | unknown command 'detahc' | did you mean 'detach'?
          """)
  void endsWithTwoAndAsksNothingWhenTheLineIsWrong(String line, String sentence, String hint) {
    var engine = new FakeEngine();
    assertThat(CommandRun.of(engine, line.strip().split(" ")))
        .isEqualTo(new CommandRun(2, "", "blksnap: " + sentence + "\nhint: " + hint + "\n"));
    assertThat(engine.requests()).isEmpty();
  }

  @Test
  void tellsAWrongLineAsAnObjectWhenJsonWasAskedFor() {
    assertThat(CommandRun.of(new FakeEngine(), "devices", "extra", "-o", "json"))
        .isEqualTo(
            new CommandRun(
                2,
                "",
                """
                {"error":{"errno":"EINVAL","number":22,"message":"one argument too many: 'extra'",\
                "hint":"'blksnap devices --help' says what it takes"}}
                """));
  }

  @Test
  void asksForACommandWhenThereIsNoneAndNoTerminal() {
    assertThat(CommandRun.of(new FakeEngine()))
        .isEqualTo(
            new CommandRun(
                2,
                "",
                "blksnap: a command is missing\nhint: 'blksnap --help' says what it takes\n"));
  }

  @Test
  void saysThatNoDirectoryIsKnownBeforeItLooksForAnEngine() {
    var run =
        CommandRun.of(new FakeEngine(), Environments.bare(4_294_000_000L, false), "", "devices");
    assertThat(run)
        .isEqualTo(
            new CommandRun(
                1,
                "",
                """
                blksnap: no run directory is known: XDG_RUNTIME_DIR is not set and \
                /run/user/4294000000 does not exist (ENOENT)
                hint: name one with --run-dir or BLKSNAP_RUN_DIR
                """));
  }

  @Test
  void failsWhenTheEngineAnswersSomethingElse() {
    var engine = new FakeEngine().next(() -> new CtrlReply.Done());
    assertThat(CommandRun.of(engine, "param", "get", "x").err())
        .isEqualTo("blksnap: the engine answered ParamGet with Done instead of Params (EPROTO)\n");
  }
}
