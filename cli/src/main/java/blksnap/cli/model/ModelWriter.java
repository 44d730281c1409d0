package blksnap.cli.model;

import java.io.File;
import java.io.IOException;
import java.lang.annotation.Annotation;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * Writes and compiles the models of all commands, as a step of the build. An attribute of an
 * annotation that it does not know ends the build: nothing is left out in silence.
 */
public final class ModelWriter {
  private static final String CLASS_FILE = ".class";

  private final Path classes;

  private ModelWriter(Path classes) {
    this.classes = classes;
  }

  /**
   * @param args the directory of the compiled classes, and one for the sources that are written
   */
  public static void main(String[] args) throws IOException, ClassNotFoundException {
    if (args.length != 2) {
      throw new IllegalArgumentException("CLASSES SOURCES expected, not " + List.of(args));
    }
    new ModelWriter(Path.of(args[0])).write(Path.of(args[1]));
  }

  private void write(Path sources) throws IOException, ClassNotFoundException {
    var files = new ArrayList<String>();
    for (var entry : annotated().entrySet()) {
      Path file =
          sources.resolve(entry.getKey().replace('.', '/')).resolve(Models.WRITTEN + ".java");
      Files.createDirectories(Objects.requireNonNull(file.getParent()));
      Files.writeString(file, new PackageText(entry.getKey(), entry.getValue()).text());
      files.add(file.toString());
    }
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    var words =
        new ArrayList<>(List.of("-proc:none", "-Xlint:none", "-d", classes.toString(), "-cp"));
    words.add(classes + File.pathSeparator + System.getProperty("java.class.path"));
    words.addAll(files);
    if (compiler.run(null, null, null, words.toArray(String[]::new)) != 0) {
      throw new IllegalStateException("the models in " + sources + " cannot be compiled");
    }
  }

  /** The classes that picocli would look at, by their packages. */
  private SortedMap<String, List<Class<?>>> annotated() throws IOException, ClassNotFoundException {
    var found = new TreeMap<String, List<Class<?>>>();
    List<Path> files;
    try (Stream<Path> walk = Files.walk(classes)) {
      files = walk.filter(file -> file.toString().endsWith(CLASS_FILE)).sorted().toList();
    }
    for (Path file : files) {
      String path = classes.relativize(file).toString();
      String name = path.substring(0, path.length() - CLASS_FILE.length()).replace('/', '.');
      Class<?> type = Class.forName(name, false, ModelWriter.class.getClassLoader());
      if (isAnnotated(type)) {
        found.computeIfAbsent(type.getPackageName(), _ -> new ArrayList<>()).add(type);
      }
    }
    return found;
  }

  private static boolean isAnnotated(Class<?> type) {
    return type.isAnnotationPresent(Command.class)
        || Arrays.stream(type.getDeclaredFields())
            .anyMatch(field ->
                Stream.of(Option.class, Parameters.class, Mixin.class, Spec.class)
                    .anyMatch(field::isAnnotationPresent));
  }

  /**
   * What an annotation says beyond its defaults.
   *
   * @param known the attributes that the caller looks at
   * @throws IllegalStateException when there is another one
   */
  static void requireKnown(Annotation annotation, Object where, Set<String> known) {
    for (Method attribute : annotation.annotationType().getDeclaredMethods()) {
      if (!known.contains(attribute.getName())
          && !Objects.deepEquals(value(annotation, attribute), attribute.getDefaultValue())) {
        throw new IllegalStateException(
            where + ": the models do not know " + attribute.getName() + " of " + annotation);
      }
    }
  }

  private static Object value(Annotation annotation, Method attribute) {
    try {
      return attribute.invoke(annotation);
    } catch (IllegalAccessException | InvocationTargetException e) {
      throw new IllegalStateException("cannot read " + attribute, e);
    }
  }
}
