package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.ProgramVersion;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a command that lives for a blink leaves undone. */
@Timeout(180)
final class StartIT {
  @TempDir private Path directory;

  private Lab lab;

  @BeforeEach
  void prepare() {
    lab = new Lab(directory);
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private String start(Map<String, String> more, String... words) throws Exception {
    Map<String, String> variables = new HashMap<>(lab.variables());
    variables.putAll(more);
    List<String> command = new ArrayList<>(List.of(Lab.launcher()));
    command.addAll(List.of(words));
    try (Background started = lab.start(variables, command.toArray(String[]::new))) {
      return started.awaitSuccess();
    }
  }

  /** What is not there is looked for in every jar; then a command takes half as long again. */
  @Test
  void opensNoJarToAnswerOneCommand() throws Exception {
    lab.load();
    lab.ok("attach", lab.disk("vm1.img", Lab.BLOCK).toString());
    for (String word : List.of("version", "devices")) {
      assertThat(start(Map.of(), word)).isNotEmpty(); // the first one makes the start-up archive
      Path log = lab.path(word);
      String option = "-Xlog:class+init=info:file=" + log;
      assertThat(start(Map.of("JAVA_TOOL_OPTIONS", option), word)).isNotEmpty();
      assertThat(Files.readString(log))
          .contains("blksnap/cli/command")
          .doesNotContain("jdk/internal/loader/URLClassPath$JarLoader");
    }
  }

  /** Java says nothing when it leaves an archive alone: the launcher keeps it from that. */
  @Test
  void takesItsClassesFromAnArchive() throws Exception {
    String backups = Files.createDirectory(lab.path("backups")).toString();
    takesFromAnArchive("blksnap.cli.command.VersionCommand", "version");
    takesFromAnArchive("blksnap.cli.backup.BackupsListCommand", "backups", "list", backups);
  }

  private void takesFromAnArchive(String name, String... words) throws Exception {
    start(Map.of(), words); // the first one makes it
    Path log = lab.path("classes-" + words[0]);
    start(Map.of("JAVA_TOOL_OPTIONS", "-Xlog:class+load:file=" + log), words);
    assertThat(Files.readString(log))
        .containsPattern(Pattern.quote(name) + " source: shared objects file");
  }

  @Test
  void saysNothingOfAnArchiveThatDoesNotFit() throws Exception {
    Lab.need("flock");
    start(Map.of(), "version");
    Path built = Path.of(Lab.launcher()).resolveSibling("../target/lib").normalize();
    Path archive = newestArchive(built);
    byte[] whole = Files.readAllBytes(archive); // of jars elsewhere than those of the other clone
    Map<String, byte[]> archives =
        Map.of(
            "empty",
            new byte[0],
            "truncated",
            Arrays.copyOf(whole, whole.length / 2),
            "foreign",
            whole,
            "text",
            "no archive\n".getBytes(StandardCharsets.UTF_8));
    Path launcher = otherClone(built);
    Path lib = launcher.resolveSibling("../target/lib").normalize();
    saysNothingButTheVersion("missing", launcher, lib);
    for (Map.Entry<String, byte[]> kind : archives.entrySet()) {
      Files.write(lib.resolve(String.valueOf(archive.getFileName())), kind.getValue());
      saysNothingButTheVersion(kind.getKey(), launcher, lib);
    }
  }

  /** While somebody else is said to make an archive, so that it is left as it is. */
  private void saysNothingButTheVersion(String kind, Path launcher, Path lib) throws Exception {
    String[] command = {"flock", lib + "/complete", launcher.toString(), "version"};
    try (Background started = lab.start(lab.variables(), command)) {
      assertThat(started.awaitSuccess()).as(kind).isEqualTo(ProgramVersion.TEXT + "\n");
    }
  }

  private static Path newestArchive(Path lib) throws Exception {
    try (Stream<Path> files = Files.list(lib)) {
      return files
          .filter(file -> file.toString().matches(".*/startup-command-.*[.]aot"))
          .max(Comparator.comparingLong(file -> file.toFile().lastModified()))
          .orElseThrow();
    }
  }

  /** A clone with the libraries of ours; its build is older than any archive. */
  private Path otherClone(Path built) throws Exception {
    Path home = lab.path("clone");
    Path lib = Files.createDirectories(home.resolve("cli/target/lib"));
    try (Stream<Path> files = Files.list(built)) {
      for (Path file : files.filter(name -> name.toString().endsWith(".jar")).toList()) {
        Files.copy(file, lib.resolve(file.getFileName()));
      }
    }
    Path stamp = Files.createFile(lib.resolve("complete"));
    Files.setLastModifiedTime(stamp, FileTime.fromMillis(0));
    Path bin = Files.createDirectories(home.resolve("cli/bin"));
    return Files.copy(
        Path.of(Lab.launcher()), bin.resolve("blksnap"), StandardCopyOption.COPY_ATTRIBUTES);
  }
}
