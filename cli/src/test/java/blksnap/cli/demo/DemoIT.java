package blksnap.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.CommandTree;
import blksnap.cli.Main;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import blksnap.cli.command.EngineLink;
import blksnap.cli.command.Environment;
import blksnap.cli.daemon.EmbeddedLink;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The demo on real engines: right ones, and ones that lie. */
@Timeout(300)
public final class DemoIT {
  private static final int SIGTERM = 15;

  @TempDir private Path directory;

  private Path temporary = Path.of("");

  private record Ended(int code, String out, String err) {}

  @BeforeEach
  void makeTemporaryDirectory() throws IOException {
    temporary = Files.createDirectory(directory.resolve("tmp"));
  }

  @Test
  void tellsEachStepWithItsCommandAndProofAndLeavesNothing() throws IOException {
    Ended ended = demo("--size", "8M");
    assertThat(ended.err()).isEmpty();
    assertThat(ended.code()).isZero();
    assertThat(ended.out())
        .contains("   $ blksnap load\n")
        .contains("   $ blksnap attach disk1.img --name disk1\n")
        .containsPattern("\\$ blksnap snapshot create disk1 disk2 .* --name monday --take\n")
        .containsPattern("proven: all 3,072 blocks of both images show one moment, known to")
        .contains("   $ blksnap cbt map disk2 --since monday --until tuesday\n")
        .containsPattern("disk2: [0-9,]+ blocks of 4K differ, all inside the [0-9]+ ranges")
        .contains("proven: no change is missed; ")
        .contains("├── initstate  live\n")
        .containsPattern("proven: all [0-9,]+ writes are on the disks")
        .contains("   nothing is left\n\nAll of it was proven, in ")
        .doesNotContain("\u001b");
    assertThat(temporary).isEmptyDirectory();
  }

  @Test
  void printsOneObjectWithWhatItMeasuredAndKeepsWhatItIsToldTo() throws IOException {
    Ended ended = demo("--size", "8M", "--keep", "-o", "json");
    assertThat(ended.err()).isEmpty();
    assertThat(ended.code()).isZero();
    JsonObject summary = JsonParser.parseString(ended.out()).getAsJsonObject();
    assertThat(summary.get("proven").getAsBoolean()).isTrue();
    assertThat(summary.get("writes").getAsLong()).isGreaterThanOrEqualTo(6000);
    assertThat(summary.getAsJsonArray("snapshots")).hasSize(2);
    JsonObject map = summary.getAsJsonObject("change_map");
    assertThat(map.get("changed_bytes").getAsLong())
        .isPositive()
        .isLessThanOrEqualTo(map.get("map_bytes").getAsLong());
    Path kept = Path.of(summary.get("kept").getAsString());
    assertThat(kept.getParent()).isEqualTo(temporary);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(kept)))
        .isEqualTo("rwx------");
    assertThat(kept.resolve("disk1.img")).hasSize(8 << 20);
    assertThat(kept.resolve("run")).isEmptyDirectory();
  }

  @Test
  void usesACopyOfTheUsersImageAndLeavesTheImageAsItIs() throws IOException {
    byte[] content = new byte[(3 << 20) + 700];
    new Random(5).nextBytes(content);
    Path image = Files.write(directory.resolve("my disk.img"), content);
    FileTime modified = FileTime.from(1_000_000_000, TimeUnit.SECONDS);
    Files.setLastModifiedTime(image, modified);
    Files.setPosixFilePermissions(image, PosixFilePermissions.fromString("r--r--r--"));

    Ended ended = demo("--disk", "my disk.img");

    assertThat(ended.err()).isEmpty();
    assertThat(ended.code()).isZero();
    assertThat(ended.out())
        .contains("   $ cp --sparse=always '" + image + "' disk1.img\n")
        .contains("the image itself is only read")
        .contains("proven: no change is missed; ");
    assertThat(image).hasBinaryContent(content);
    assertThat(Files.getLastModifiedTime(image)).isEqualTo(modified);
    assertThat(temporary).isEmptyDirectory();
  }

  @Test
  void failsWhenTheChangeMapLacksARange() throws IOException {
    Ended ended =
        demo(
            reply ->
                reply instanceof CtrlReply.CbtRanges(var ranges, _) && !ranges.isEmpty()
                    ? new CtrlReply.CbtRanges(
                        ranges.subList(0, ranges.size() - 1), OptionalLong.empty())
                    : reply,
            "--size",
            "8M");
    assertThat(ended.code()).isEqualTo(1);
    assertThat(ended.err())
        .startsWith("blksnap: not proven: 4096 bytes at ")
        .contains(" have changed, and the change map does not say so (EIO)\n");
    assertThat(ended.out()).doesNotContain("no change is missed").doesNotContain("All of it");
    assertThat(temporary).isEmptyDirectory();
  }

  @Test
  void leavesNothingAfterASignal() throws Exception {
    Path out = directory.resolve("out");
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    var builder =
        new ProcessBuilder(
                java.toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "demo")
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectOutput(out.toFile())
            .redirectError(directory.resolve("err").toFile());
    builder.environment().put("TMPDIR", temporary.toString());
    Process process = builder.start();
    while (process.isAlive() && !Files.readString(out).contains("\n5. take snapshot")) {
      process.waitFor(20, TimeUnit.MILLISECONDS);
    }
    assertThat(temporary).isNotEmptyDirectory();
    process.destroy();
    assertThat(process.waitFor()).isEqualTo(128 + SIGTERM);
    assertThat(temporary).isEmptyDirectory();
    assertThat(out).content().doesNotContain("All of it was proven");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --disk none           | 1 | none: no such file or directory (ENOENT)
          --disk tmp            | 1 | tmp is a directory, not a disk image (EISDIR)
          --disk empty          | 1 | empty has 0 bytes: there is no block of 4096 to write to (EINVAL)
          --disk /dev/null      | 1 | /dev/null is not a regular file (EINVAL)
          --size 1M             | 2 | --size takes 8M to 64G, not 1048576 bytes
          --size 8M --disk tmp  | 2 | --size makes a disk and --disk brings one: use one of them
          """)
  void refusesBeforeItMakesAnything(String arguments, int code, String sentence)
      throws IOException {
    Files.createFile(directory.resolve("empty"));
    Ended ended = demo(arguments.split(" "));
    assertThat(ended.code()).isEqualTo(code);
    assertThat(ended.err()).contains(sentence);
    assertThat(ended.out()).isEmpty();
    assertThat(temporary).isEmptyDirectory();
  }

  private Ended demo(String... arguments) {
    return demo(reply -> reply, arguments);
  }

  /**
   * Runs the demo on an engine of its own.
   *
   * @param lie what becomes of each answer of the engine
   */
  private Ended demo(UnaryOperator<CtrlReply> lie, String... arguments) {
    var out = new StringWriter();
    var err = new StringWriter();
    Environment own = Environment.ofProcess();
    var environment =
        new Environment(own.variables(), own.uid(), own.home(), directory, false, false, false)
            .with("TMPDIR", temporary.toString())
            .with("LC_ALL", "C.UTF-8");
    var context =
        new CommandContext(
            environment,
            (directories, _) -> link(new EmbeddedLink(directories), lie),
            InputStream.nullInputStream(),
            new PrintWriter(out),
            new PrintWriter(err),
            Defaults.ONE_SHOT);
    String[] line = concat("demo", arguments);
    int code = new CommandTree(context).forArguments(line).execute(line);
    context.out().flush();
    context.err().flush();
    return new Ended(code, out.toString(), err.toString());
  }

  private static String[] concat(String first, String... others) {
    var words = new ArrayList<>(List.of(first));
    words.addAll(List.of(others));
    return words.toArray(String[]::new);
  }

  private static EngineLink link(EngineLink engine, UnaryOperator<CtrlReply> lie) {
    return new EngineLink() {
      @Override
      public CtrlHandler engine() throws IOException, InterruptedException {
        CtrlHandler honest = engine.engine();
        return (CtrlRequest request) -> lie.apply(honest.handle(request));
      }

      @Override
      public void close() throws IOException {
        engine.close();
      }
    };
  }
}
