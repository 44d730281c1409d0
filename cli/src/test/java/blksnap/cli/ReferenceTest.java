package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import blksnap.cli.reference.ManPages;
import blksnap.cli.testing.AllCommands;
import blksnap.cli.testing.FakeEngine;
import blksnap.testing.RealClients;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * That the committed completions and manual pages are what the commands say now. {@code
 * -Dblksnap.reference=DIRECTORY} writes what they should be there.
 */
final class ReferenceTest {
  private static final Path TOP = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());

  @ParameterizedTest
  @MethodSource("files")
  void committedWhatTheCommandsSay(String file) throws IOException {
    String expected = files().filter(file::equals).map(generated()::get).findFirst().orElseThrow();
    String wanted = System.getProperty("blksnap.reference", "");
    if (!wanted.isEmpty()) {
      Path copy = Path.of(wanted).resolve(file);
      Files.createDirectories(copy.getParent());
      Files.writeString(copy, expected);
    }
    assertThat(TOP.resolve(file)).hasContent(expected);
  }

  @Test
  void committedNothingElse() throws IOException {
    for (String folder : new String[] {"completions", "man"}) {
      try (Stream<Path> committed = Files.list(TOP.resolve(folder))) {
        assertThat(committed.map(path -> TOP.relativize(path).toString()))
            .containsExactlyInAnyOrderElementsOf(
                generated().keySet().stream().filter(file -> file.startsWith(folder)).toList());
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          d                             | dmesg detach devices demo
          snapshot ta                   | take
          snapshot create --du          | --durability
          -o json snapshot create --durability p | process power
          devices --output=js           | json
          snapshot create vm1 d         | data
          snapshot add m                | monday
          detach v                      | vm1
          cat /sys/                     | /sys/block/ /sys/module/
          param get free                | free_diff_buffer_pool_size
          load free                     | free_diff_buffer_pool_size=
          completion z                  | zsh
          --run-dir /r detach d         | data
          """)
  void completesInBash(String line, String words) throws Exception {
    assumeTrue(isInstalled("bash"), "needs bash");
    String program =
        """
        %s
        source "%s"
        _blksnap_engine() { true; }
        COMP_LINE='blksnap %s' COMP_POINT=${#COMP_LINE} COMP_WORDS=(blksnap)
        _blksnap_complete
        printf '%%s\\n' "${COMPREPLY[@]}"
        """
            .formatted(ENGINE, TOP.resolve("completions/blksnap.bash"), line.strip());
    assertThat(run("bash", "--norc", "-c", program).lines()).containsExactly(words.split(" "));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          snapshot add                  | monday
          detach                        | data vm1
          devices -o                    | json plain table
          param get                     | chunk_maximum_count chunk_maximum_in_cache chunk_minimum_shift diff_storage_minimum free_diff_buffer_pool_size tracking_block_maximum_count tracking_block_minimum_shift write_intent_region_shift
          """)
  void completesInZsh(String line, String words) throws Exception {
    assumeTrue(isInstalled("zsh"), "needs zsh");
    String program =
        """
        %s
        compdef() { }
        compadd() { while [[ $1 != -- ]]; do shift; done; shift; printf '%%s\\n' "$@" }
        source "%s"
        _blksnap_engine() { true; }
        words=(blksnap %s '') CURRENT=${#words}
        _blksnap
        """
            .formatted(ENGINE, TOP.resolve("completions/_blksnap"), line.strip());
    assertThat(run("zsh", "-f", "-c", program).lines()).containsExactlyInAnyOrder(words.split(" "));
  }

  @ParameterizedTest
  @CsvSource({"bash, blksnap.bash", "zsh, _blksnap"})
  void startsNoProgramWhereNoEngineRuns(String shell, String script) throws Exception {
    assumeTrue(isInstalled(shell), "needs " + shell);
    String program =
        """
        compdef() { :; }
        complete() { :; }
        command() { echo "asked: $*"; }
        source '%s'
        _blksnap_live blksnap device
        _blksnap_live blksnap snapshot --run-dir /nowhere
        BLKSNAP_RUN_DIR=/nowhere _blksnap_live blksnap node --run-dir=/nowhere/else
        """
            .formatted(TOP.resolve("completions").resolve(script));
    String line = "export BLKSNAP_RUN_DIR=/nowhere; " + program;
    assertThat(run(shell, "-c", line)).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("pages")
  void writesManualPagesThatMandocFindsNoFaultWith(String page) throws Exception {
    RealClients.require(isInstalled("mandoc"), "mandoc is not installed");
    assertThat(run("mandoc", "-Tlint", TOP.resolve(page).toString())).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("pages")
  void writesManualPagesThatManShowsWithoutAWarning(String page) throws Exception {
    RealClients.require(isInstalled("man"), "man is not installed");
    String script =
        "LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -P cat -l '%s' 2>&1 >/dev/null"
            .formatted(TOP.resolve(page));
    assertThat(run("sh", "-c", script)).isEmpty();
  }

  static Stream<String> pages() {
    return files().filter(file -> file.startsWith("man/"));
  }

  /**
   * Stands for the program that the scripts ask; it only answers to the arguments that it should
   * get.
   */
  private static final String ENGINE =
      """
      command() {
          [ "$1" = blksnap ] || return 1
          shift
          if [ "$1" = --run-dir ]; then shift 2; fi
          case "$*" in
          'devices -o plain') printf 'vm1\\t/srv/vm1\\t512\\tnbd+unix:a\\ndata\\t/d\\t512\\tnbd+unix:b\\n' ;;
          'snapshot list -o plain') printf '4f1c\\tmonday\\tcreated\\tvm1\\t\\n' ;;
          'status -o plain') printf '/sys/module/x\\t1\\n/sys/block/vm1/ro\\t0\\n/sys/block/vm1/size\\t1\\n' ;;
          esac
      }
      """;

  static Stream<String> files() {
    return generated().keySet().stream();
  }

  private static Map<String, String> generated() {
    var files = new TreeMap<String, String>();
    files.put("completions/blksnap.bash", completion("bash"));
    files.put("completions/_blksnap", completion("zsh"));
    var documents =
        new ManPages.Documents(
            document("core/docs/ctrl.md"),
            document("cli/docs/sysfs.md"),
            document("cli/docs/upstream.md"),
            document("cli/docs/shell.md"));
    new ManPages(AllCommands.tree().full().getCommandSpec(), documents)
        .pages()
        .forEach((name, text) -> files.put("man/" + name, text));
    return files;
  }

  private static String document(String path) {
    try {
      return Files.readString(TOP.resolve(path));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String completion(String shell) {
    return CommandRun.of(new FakeEngine(), "completion", shell).out();
  }

  private static boolean isInstalled(String program) {
    return Stream.of(System.getenv("PATH").split(":"))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  private static String run(String... words) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return text;
  }
}
