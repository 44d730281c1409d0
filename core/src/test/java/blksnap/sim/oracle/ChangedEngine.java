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

/** The engine with some of its source changed, under the simulation. Used by one thread. */
final class ChangedEngine {
  static final Path SOURCES = Path.of("src", "main", "java", "blksnap");

  private final Path classes;
  private final Map<String, String> changed = new TreeMap<>();

  /**
   * @param classes an empty directory for what is compiled
   */
  ChangedEngine(Path classes) {
    this.classes = classes;
  }

  /** The text of a file, as it is after earlier changes; its path is below the package. */
  String source(String file) throws IOException {
    String before = changed.get(file);
    return before == null ? Files.readString(SOURCES.resolve(file)) : before;
  }

  void change(String file, String source) {
    changed.put(file, source);
  }

  /** As {@link #firstFailure(long, long, String)}, of a change that only the caller can repeat. */
  String firstFailure(long first, long runs) throws Exception {
    return firstFailure(first, runs, SimRuns.REPEAT);
  }

  /**
   * Runs seeds of the simulation on classes of its own: the changed ones, and for the rest ours
   * anew.
   *
   * @param repeat the command that repeats one of them, up to its seed
   */
  String firstFailure(long first, long runs, String repeat) throws Exception {
    compile();
    List<URL> places = new ArrayList<>();
    places.add(classes.toUri().toURL());
    for (String place : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      places.add(Path.of(place).toUri().toURL());
    }
    try (var loader = new OwnClasses(places)) {
      Class<?> simulation = loader.loadClass(SimRuns.class.getName());
      assertThat(simulation).isNotSameAs(SimRuns.class);
      return (String)
          simulation
              .getMethod("firstFailure", long.class, long.class, String.class)
              .invoke(null, first, runs, repeat);
    } catch (InvocationTargetException e) {
      throw new AssertionError("the simulation itself failed", e);
    }
  }

  private void compile() throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    List<Path> files = new ArrayList<>();
    for (Map.Entry<String, String> source : changed.entrySet()) {
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

  /** Loads what is ours itself, whatever the loader above has already. */
  private static final class OwnClasses extends URLClassLoader {
    OwnClasses(List<URL> places) {
      super(places.toArray(URL[]::new), ChangedEngine.class.getClassLoader());
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
