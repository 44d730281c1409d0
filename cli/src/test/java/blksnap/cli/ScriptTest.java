package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.Environments;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.Errno;
import org.junit.jupiter.api.Test;

/** Lines that are piped into the shell. */
final class ScriptTest {
  @Test
  void runsTheLinesOneAfterTheOther() {
    var engine = new FakeEngine();
    assertThat(
            shell(
                engine,
                """
                # two devices
                param get x

                cat "/sys/a b" -o json
                """))
        .isEqualTo(new CommandRun(0, "20\n{\"value\":\"18\"}\n", ""));
    assertThat(engine.requests())
        .contains(new CtrlRequest.ParamGet("x"), new CtrlRequest.Cat("/sys/a b"));
  }

  @Test
  void stopsAtTheFirstLineThatFails() {
    var engine =
        new FakeEngine()
            .next(() -> new CtrlReply.Done())
            .next(() -> new CtrlReply.VersionInfo("live"))
            .refuse(Errno.EBUSY, "vm1 is used", "");
    assertThat(
            shell(
                engine,
                """
                detach vm0

                detach vm1
                detach vm2
                """))
        .isEqualTo(
            new CommandRun(
                1,
                "",
                """
                blksnap: vm1 is used (EBUSY)
                blksnap: stopped at line 3
                """));
    assertThat(engine.requests()).doesNotContain(new CtrlRequest.Detach("vm2"));
  }

  @Test
  void endsWithOneAlsoWhenALineIsWrongUsage() {
    assertThat(shell(new FakeEngine(), "detach\n"))
        .isEqualTo(
            new CommandRun(
                1,
                "",
                """
                blksnap: missing required parameter: 'DEVICE'
                hint: 'blksnap detach --help' says what it takes
                blksnap: stopped at line 1
                """));
  }

  @Test
  void refusesALineThatEndsWithinAQuotation() {
    assertThat(shell(new FakeEngine(), "version\ndetach 'vm1\n"))
        .isEqualTo(
            new CommandRun(
                1,
                "1.0.0.0\n",
                """
                blksnap: the line ends within a quotation: detach 'vm1
                blksnap: stopped at line 2
                """));
  }

  @Test
  void takesATextBetweenQuotesOverSeveralLines() {
    var engine = new FakeEngine();
    assertThat(shell(engine, "cat '/a\nb\n# c' -o plain\ndetach\n").err())
        .endsWith("blksnap: stopped at line 4\n");
    assertThat(engine.requests()).contains(new CtrlRequest.Cat("/a\nb\n# c"));
  }

  @Test
  void goesOnBehindALineThatFailsWhenAskedTo() {
    var engine = new FakeEngine();
    var run =
        CommandRun.of(
            engine, Environments.user(), "detach\nversion\nno\n", "shell", "--keep-going");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.out()).isEqualTo("1.0.0.0\n");
    assertThat(run.err())
        .contains("blksnap: line 1 failed\n", "blksnap: line 3 failed\n")
        .doesNotContain("stopped");
  }

  @Test
  void repeatsACommandWithItsOwnOptions() {
    assertThat(
            shell(
                    new FakeEngine(),
                    """
                    cd /sys/block
                    watch -n 2 -i 0.1 ls -o plain
                    watch -n 1 cat nowhere
                    watch -n 1 watch version
                    """)
                .out())
        .startsWith(
            """
            vm1

            vm1
            18
            blksnap: unknown command 'watch'
            """);
  }

  @Test
  void endsAtExitAndRunsNothingBehindIt() {
    for (String word : new String[] {"exit", "quit"}) {
      assertThat(shell(new FakeEngine(), "version\n" + word + "\ndetach\n"))
          .isEqualTo(new CommandRun(0, "1.0.0.0\n", ""));
    }
  }

  @Test
  void walksTheStatusTree() {
    var engine = new FakeEngine();
    assertThat(
            shell(
                engine,
                """
                ls
                cd sys/module/blksnap
                pwd
                ls
                ls parameters
                tree
                cat parameters/chunk_minimum_shift
                echo 20 > parameters/chunk_minimum_shift
                cd ..
                pwd
                cd
                pwd
                """))
        .isEqualTo(
            new CommandRun(
                0,
                """
                sys/
                /sys/module/blksnap
                version
                initstate
                parameters/
                chunk_minimum_shift
                /sys/module/blksnap
                ├── version    1.0.0.0
                ├── initstate  live
                └── parameters
                    └── chunk_minimum_shift  18
                18
                /sys/module
                /
                """,
                ""));
    assertThat(engine.requests())
        .contains(
            new CtrlRequest.Cat("/sys/module/blksnap/parameters/chunk_minimum_shift"),
            new CtrlRequest.Echo("/sys/module/blksnap/parameters/chunk_minimum_shift", "20"));
  }

  @Test
  void listsInTheOtherFormsToo() {
    assertThat(shell(new FakeEngine(), "ls sys -o json\nls sys -o plain\npwd -o json\n").out())
        .isEqualTo(
            """
            {"module":{},"block":{}}
            module
            block
            {"value":"/"}
            """);
  }

  @Test
  void staysWhereItIsWhenThePlaceIsNoDirectory() {
    var run = shell(new FakeEngine(), "cd /sys/block/vm1\ncd ro\n");
    assertThat(run.err())
        .isEqualTo(
            """
            blksnap: /sys/block/vm1/ro is a value, not a directory (ENOTDIR)
            blksnap: stopped at line 2
            """);
  }

  @Test
  void wantsTheSignBetweenAValueAndItsPath() {
    assertThat(shell(new FakeEngine(), "echo 1 to /x\n").err())
        .startsWith("blksnap: write 'echo VALUE > NODE', not 'echo VALUE to NODE'\n");
  }

  @Test
  void letsTheShellsOptionsHoldForEveryLine() {
    assertThat(
            CommandRun.of(
                    new FakeEngine(),
                    Environments.user(),
                    "version\nversion -o plain\n",
                    "shell",
                    "-o",
                    "json")
                .out())
        .isEqualTo("{\"version\":\"1.0.0.0\"}\n1.0.0.0\n");
  }

  @Test
  void hasNoShellWithinTheShellAndNoEngineInItsForeground() {
    assertThat(shell(new FakeEngine(), "shell\n").err()).startsWith("blksnap: unknown command");
    assertThat(shell(new FakeEngine(), "load --foreground\n").err())
        .startsWith("blksnap: --foreground would end with the shell");
  }

  @Test
  void opensTheWayToTheEngineAnewWhenItWentAway() {
    var engine =
        new FakeEngine()
            .next(() -> new CtrlReply.Value("first"))
            .refuse(Errno.EPIPE, "the engine went away", "") // found out before the second line
            .next(() -> new CtrlReply.Value("second"));
    assertThat(shell(engine, "cat /a\ncat /b\n"))
        .isEqualTo(new CommandRun(0, "first\nsecond\n", ""));
    assertThat(engine.requests())
        .containsExactly(
            new CtrlRequest.Cat("/a"), new CtrlRequest.Version(), new CtrlRequest.Cat("/b"));
  }

  private static CommandRun shell(FakeEngine engine, String lines) {
    return CommandRun.of(engine, Environments.user(), lines, "shell");
  }
}
