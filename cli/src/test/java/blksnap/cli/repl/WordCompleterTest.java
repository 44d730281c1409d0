package blksnap.cli.repl;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.CommandTree;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import blksnap.cli.command.Directories;
import blksnap.cli.command.EngineLink;
import blksnap.cli.command.TreePath;
import blksnap.cli.testing.AllCommands;
import blksnap.cli.testing.Environments;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlHandler;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

final class WordCompleterTest {
  @TempDir private Path directory;

  @Test
  void offersCommandsAndThoseOfAGroup() {
    assertThat(complete("d")).containsExactly("dmesg", "detach", "devices", "demo");
    assertThat(complete("snapshot", "ta")).containsExactly("take");
    assertThat(complete("-o", "json", "cb")).containsExactly("cbt");
    assertThat(complete("nothing", "d")).contains("detach");
  }

  @Test
  void offersTheOptionsOfACommandAndTheCommonOnes() {
    assertThat(complete("snapshot", "create", "--d"))
        .containsExactlyInAnyOrder("--durability", "--debug");
    assertThat(complete("load", "--not")).isEmpty();
  }

  @Test
  void offersTheValuesOfAnOptionInEitherForm() {
    assertThat(complete("devices", "-o", "")).containsExactly("table", "json", "plain");
    assertThat(complete("snapshot", "create", "--on-full=w")).containsExactly("--on-full=wait");
    assertThat(complete("snapshot", "create", "--durability", "p"))
        .containsExactly("process", "power");
  }

  @Test
  void offersLiveDevicesAndSnapshotsWhereTheyBelong() {
    assertThat(complete("cbt", "info", "")).containsExactly("vm1", "data");
    assertThat(complete("snapshot", "create", "vm1", "d")).containsExactly("data");
    assertThat(complete("snapshot", "add", "mo")).containsExactly("monday");
    assertThat(complete("snapshot", "add", "monday", "v")).containsExactly("vm1");
    assertThat(complete("snapshot", "info", "1")).containsExactly(FakeEngine.SNAPSHOT.toString());
    assertThat(complete("cbt", "map", "vm1", "--since", "mo")).containsExactly("monday");
    assertThat(complete("cbt", "info", "vm1", "")).isEmpty();
  }

  @Test
  void offersParametersByNameAndAsAssignments() {
    assertThat(complete("param", "get", "free")).containsExactly("free_diff_buffer_pool_size");
    assertThat(complete("load", "free")).containsExactly("free_diff_buffer_pool_size=");
  }

  @Test
  void offersTheStatusTreeStepByStep() {
    assertThat(complete("cat", "/")).containsExactly("/sys/");
    assertThat(complete("cat", "/sys/b")).containsExactly("/sys/block/");
    assertThat(complete("cat", "/sys/block/vm1/")).containsExactly("/sys/block/vm1/ro");
    assertThat(complete("cat", "nowhere/")).isEmpty();
  }

  @Test
  void offersTheStatusTreeFromThePlaceOn() {
    assertThat(texts(completer(new FakeEngine(), new TreePath("/sys/block")), "cat", "v"))
        .containsExactly("vm1/");
  }

  @Test
  void offersFilesAndMarksDirectories() throws IOException {
    Files.createDirectory(directory.resolve("disks"));
    Files.createFile(directory.resolve("disk.img"));
    Files.createFile(directory.resolve(".hidden"));
    assertThat(complete("attach", directory + "/di"))
        .containsExactlyInAnyOrder(directory + "/disks/", directory + "/disk.img");
    assertThat(complete("attach", directory + "/")).hasSize(2);
    assertThat(complete("attach", directory + "/none/")).isEmpty();
  }

  @Test
  void offersNothingLiveWhenTheEngineRefusesOrIsTooSlow() {
    var refusing = new FakeEngine().refuse(Errno.EPIPE, "gone", "");
    assertThat(texts(completer(refusing, TreePath.ROOT), "detach", "")).isEmpty();
    CtrlHandler stuck =
        _ -> {
          new CountDownLatch(1).await();
          throw new AssertionError("nobody opens the latch");
        };
    assertThat(texts(completer(stuck, TreePath.ROOT), "detach", "")).isEmpty();
  }

  @Test
  void saysWhatCommandsAndOptionsAreFor() {
    assertThat(meaning("detach")).startsWith("Detach a device: stop serving and tracking it");
    assertThat(meaning("devices", "-o")).isEqualTo("Form of the output");
    assertThat(meaning("snapshot", "create", "--name")).isNotEmpty().doesNotEndWith(".");
    assertThat(meaning("load", "--foreground")).isNotEmpty();
  }

  @Test
  void saysWhatEveryWordOfAnOptionMeans() {
    assertThat(meaning("devices", "-o", "plain"))
        .isEqualTo("values between tabs, without a header");
    assertThat(meaning("devices", "--output=json")).isEqualTo("one object, sizes in bytes");
    assertThat(unexplained(AllCommands.tree().withoutShell().getCommandSpec())).isEmpty();
  }

  /** The words of options that mean nothing to somebody who sees them. */
  private static List<String> unexplained(CommandSpec spec) {
    var found = new ArrayList<String>();
    for (OptionSpec option : spec.options()) {
      if (option.hidden()) {
        continue;
      }
      if (option.description().length == 0) {
        found.add(spec.qualifiedName() + " " + option.longestName());
      }
      if (option.completionCandidates() != null) {
        for (String word : option.completionCandidates()) {
          if (Meanings.of(option, word).isEmpty()) {
            found.add(spec.qualifiedName() + " " + option.longestName() + " " + word);
          }
        }
      }
    }
    for (CommandLine below : spec.subcommands().values()) {
      if (!below.getCommandSpec().usageMessage().hidden()) {
        found.addAll(unexplained(below.getCommandSpec()));
      }
    }
    return found;
  }

  @Test
  void saysWhatLiveValuesAre() {
    assertThat(meaning("detach", "vm1")).isEqualTo("/srv/vm1.img, 10G");
    assertThat(meaning("snapshot", "info", "monday")).isEqualTo("taken of vm1 data");
    assertThat(meaning("snapshot", "info", FakeEngine.SNAPSHOT.toString()))
        .isEqualTo("monday, taken of vm1 data");
    assertThat(meaning("param", "get", "chunk_maximum_in_cache"))
        .isEqualTo(Parameter.CHUNK_MAXIMUM_IN_CACHE.description());
    assertThat(meaning("load", "chunk_maximum_in_cache="))
        .isEqualTo(Parameter.CHUNK_MAXIMUM_IN_CACHE.description());
    assertThat(meaning("cat", "/sys/block/vm1/ro")).isEqualTo("0");
    assertThat(meaning("cat", "/sys/block/")).isEmpty();
  }

  @Test
  void saysHowLargeFilesAre() throws IOException {
    Files.write(directory.resolve("disk.img"), new byte[3 << 10]);
    Files.createDirectory(directory.resolve("disks"));
    Files.createSymbolicLink(directory.resolve("gone"), Path.of("nowhere"));
    assertThat(meaning("attach", directory + "/disk.img")).isEqualTo("3K");
    assertThat(meaning("attach", directory + "/disks/")).isEmpty();
    assertThat(meaning("attach", directory + "/gone")).isEmpty();
    assertThat(meaning("attach", "/dev/null")).isEqualTo("device, socket or pipe");
  }

  /** What is said of the last word, which is a whole one. */
  private static String meaning(String... words) {
    String last = words[words.length - 1];
    int slash = last.endsWith("/") ? last.length() - 1 : last.length();
    List<String> before = List.of(words).subList(0, words.length - 1);
    return completer(new FakeEngine(), TreePath.ROOT)
        .complete(before, last.substring(0, slash))
        .stream()
        .filter(word -> word.text().equals(last))
        .findFirst()
        .orElseThrow()
        .description();
  }

  private static List<String> complete(String... words) {
    return texts(completer(new FakeEngine(), TreePath.ROOT), words);
  }

  private static List<String> texts(WordCompleter completer, String... words) {
    List<String> before = List.of(words).subList(0, words.length - 1);
    return completer.complete(before, words[words.length - 1]).stream()
        .map(WordCompleter.Word::text)
        .toList();
  }

  private static WordCompleter completer(CtrlHandler engine, TreePath place) {
    EngineLink.Opener opener =
        (_, _) ->
            new EngineLink() {
              @Override
              public CtrlHandler engine() {
                return engine;
              }

              @Override
              public void close() {}
            };
    var context =
        new CommandContext(
            Environments.user(),
            opener,
            InputStream.nullInputStream(),
            new PrintWriter(new StringWriter()),
            new PrintWriter(new StringWriter()),
            Defaults.ONE_SHOT);
    var directories = new Directories(Path.of("/r"), Path.of("/s"));
    return new WordCompleter(
        new CommandTree(context).withoutShell()::getCommandSpec,
        new LiveValues(new KeptLink(opener, directories, false)),
        () -> place);
  }
}
