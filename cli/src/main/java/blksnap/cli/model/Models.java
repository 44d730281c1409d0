package blksnap.cli.model;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import picocli.CommandLine.Model.CommandSpec;

/** The model of any command. Safe from many threads. */
public final class Models {
  /** The name of what the build writes for a package. */
  static final String WRITTEN = "CommandModels";

  private static final Map<String, Optional<ModelSource>> SOURCES = new ConcurrentHashMap<>();

  private Models() {}

  /** A new model of this object: as it was written, else as picocli reads it. */
  public static CommandSpec of(Object command) {
    Optional<ModelSource> source =
        SOURCES.computeIfAbsent(command.getClass().getPackageName(), Models::source);
    return source.isPresent() ? source.get().of(command) : CommandSpec.forAnnotatedObject(command);
  }

  private static Optional<ModelSource> source(String packageName) {
    try {
      Class<?> written = Class.forName(packageName + "." + WRITTEN);
      return Optional.of((ModelSource) written.getDeclaredConstructor().newInstance());
    } catch (ClassNotFoundException _) {
      return Optional.empty(); // while the build is about to write them, or of a test's own package
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("the models of " + packageName + " cannot be made", e);
    }
  }
}
