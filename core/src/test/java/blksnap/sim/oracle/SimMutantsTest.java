package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Proves the simulation: faults are put into the engine's source, one at a time, and each must be
 * found within the seeds of the normal run. A fault whose place in the source is not found any more
 * fails, so that none of them is lost when the code changes.
 */
class SimMutantsTest {
  private static final Path SOURCES = Path.of("src", "main", "java", "blksnap");
  private static final long RUNS = 1_500;

  @TempDir Path classes;

  /** One replacement in one file. */
  private record Edit(String file, String from, String to) {}

  /** The faults; what is looked for shows its line ends. */
  @SuppressWarnings({"ImmutableEnumChecker", "StringConcatToTextBlock"}) // edits is List.of
  enum Mutant {
    MARK_AFTER_WRITE(
        new Edit(
            "tracker/TrackedDevice.java",
            "        mark(offset, length); // first: a change that then fails is over-reported,"
                + " never missed\n",
            ""),
        new Edit(
            "tracker/TrackedDevice.java",
            "          run(offset, length, change);\n",
            "          run(offset, length, change);\n          mark(offset, length);\n")),
    MAPPING_AFTER_OVERWRITE(
        new Edit(
            "diffarea/DiffArea.java",
            "      appendLog(kind, first, region.location(), region.blocks(), checksums, at);\n"
                + "      recorded = true;\n",
            "      var before = late.getAndSet(() -> {\n"
                + "        appendLog(kind, first, region.location(), region.blocks(), checksums,"
                + " at);\n"
                + "        return this;\n"
                + "      });\n"
                + "      if (before != null) {\n"
                + "        try {\n"
                + "          before.call();\n"
                + "        } catch (Exception e) {\n"
                + "          throw new IOException(e);\n"
                + "        }\n"
                + "      }\n"
                + "      recorded = true;\n"),
        new Edit(
            "diffarea/DiffArea.java",
            "  private final BlockMap preserved = new BlockMap();\n",
            "  private final BlockMap preserved = new BlockMap();\n"
                + "  private final AtomicReference<java.util.concurrent.Callable<Object>> late ="
                + " new AtomicReference<>();\n")),
    INTENT_NOT_SYNCED(
        new Edit(
            "cbt/WriteIntent.java",
            "      file.force();\n",
            "      if (lease < 0) {\n        file.force();\n      }\n")),
    POWER_STORAGE_NOT_SYNCED(
        new Edit(
            "diffarea/DiffArea.java",
            "      if (config.syncEach()) {\n        storage.sync();\n      }\n",
            "")),
    MAPPING_NOT_SYNCED(
        new Edit(
            "diffarea/DiffArea.java",
            "    if (log != null && config.syncEach()) {\n      log.force();\n    }\n",
            "")),
    RECORD_NAME_NOT_SYNCED(
        new Edit("state/StateFile.java", "      Directories.syncEntry(path);\n", "")),
    INTENT_CLEARED_BEFORE_THE_MAP_IS_DURABLE(
        new Edit(
            "cbt/WriteIntent.java",
            "      map.force();\n      durable = true;\n",
            "      durable = true;\n")),
    INTENT_CLEARED_BEFORE_THE_DATA_IS_DURABLE(
        new Edit(
            "cbt/WriteIntent.java",
            "} else if (unflushed.isClean(region)) {",
            "} else if (true) {")),
    GATE_CLOSED_AFTER_THE_MAP_IS_FROZEN(
        new Edit(
            "snapshot/SnapshotTake.java",
            "        p.device.gate().close();\n",
            "        p.device.freezeMap(p.frozen);\n        Thread.yield();\n"
                + "        p.device.gate().close();\n"),
        new Edit(
            "snapshot/SnapshotTake.java",
            "        p.device.freezeMap(p.frozen);\n        p.device.chain()",
            "        p.device.chain()")),
    HANDED_DOWN_BLOCK_RELEASED_AS_WELL(
        new Edit(
            "diffarea/AreaChain.java",
            "            if (older == null || !older.holdsAt(block, location)) {\n",
            "            if (true) {\n")),
    STORAGE_APPENDED_WITHOUT_A_RECORD(
        new Edit(
            "snapshot/SnapshotTable.java",
            "context.storages().append(snapshot.storage(), path, parts, store.keeper());",
            "context.storages().append(snapshot.storage(), path, parts, (s, r) -> {});"));

    private final List<Edit> edits;

    Mutant(Edit... edits) {
      this.edits = List.of(edits);
    }
  }

  @ParameterizedTest
  @EnumSource
  void findsAFaultThatWasPutIn(Mutant mutant) throws Exception {
    Map<String, String> sources = new TreeMap<>();
    for (Edit edit : mutant.edits) {
      String source = sources.containsKey(edit.file) ? sources.get(edit.file) : source(edit.file);
      assertThat(Objects.requireNonNull(source).split(java.util.regex.Pattern.quote(edit.from), -1))
          .as("places of the fault in %s", edit.file)
          .hasSize(2);
      sources.put(edit.file, source.replace(edit.from, edit.to));
    }
    compile(sources);
    assertThat(firstFailure(RUNS)).as("what %s breaks", mutant).isNotEmpty();
  }

  @Test
  void findsNothingWhereNothingWasPutIn() throws Exception {
    compile(Map.of("cbt/WriteIntent.java", source("cbt/WriteIntent.java")));
    assertThat(firstFailure(60)).isEmpty();
  }

  private static String source(String file) throws IOException {
    return Files.readString(SOURCES.resolve(file));
  }

  private void compile(Map<String, String> sources) throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    List<Path> files = new ArrayList<>();
    for (Map.Entry<String, String> source : sources.entrySet()) {
      Path file = classes.resolve("source").resolve(source.getKey());
      Files.createDirectories(Objects.requireNonNull(file.getParent()));
      files.add(Files.writeString(file, source.getValue()));
    }
    var said = new StringWriter();
    try (StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null)) {
      boolean done =
          compiler
              .getTask(
                  said,
                  manager,
                  null,
                  List.of(
                      "-proc:none",
                      "-nowarn",
                      "-d",
                      classes.toString(),
                      "-cp",
                      System.getProperty("java.class.path")),
                  null,
                  manager.getJavaFileObjectsFromPaths(files))
              .call();
      assertThat(done).as(said.toString()).isTrue();
    }
  }

  /** Runs the simulation on classes of its own: the changed ones, and for the rest ours anew. */
  private String firstFailure(long runs) throws Exception {
    List<URL> places = new ArrayList<>();
    places.add(classes.toUri().toURL());
    for (String place : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      places.add(Path.of(place).toUri().toURL());
    }
    try (var loader = new OwnClasses(places)) {
      Class<?> simulation = loader.loadClass(SimRuns.class.getName());
      assertThat(simulation).isNotSameAs(SimRuns.class);
      return (String)
          simulation.getMethod("firstFailure", long.class, long.class).invoke(null, 0L, runs);
    } catch (InvocationTargetException e) {
      throw new AssertionError("the simulation itself failed", e);
    }
  }

  /** Loads what is ours itself, whatever the loader above has already. */
  private static final class OwnClasses extends URLClassLoader {
    OwnClasses(List<URL> places) {
      super(places.toArray(URL[]::new), SimMutantsTest.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (!name.startsWith("blksnap.")) {
        return super.loadClass(name, resolve);
      }
      synchronized (getClassLoadingLock(name)) {
        Class<?> loaded = findLoadedClass(name);
        return loaded == null ? findClass(name) : loaded;
      }
    }
  }
}
