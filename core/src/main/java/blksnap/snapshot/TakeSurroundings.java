package blksnap.snapshot;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * What a take with hooks has to know of the engine it runs in.
 *
 * @param ownPaths what the engine writes to besides devices, storage and its state: no file system
 *     that holds one may be frozen; those that do not exist are passed over
 * @param environment variables for the commands
 * @param going whether the engine is on its way out: nothing is waited for any more
 */
public record TakeSurroundings(
    List<Path> ownPaths, Map<String, String> environment, BooleanSupplier going) {
  /** Of an engine without servers. */
  public static final TakeSurroundings NONE =
      new TakeSurroundings(List.of(), Map.of(), () -> false);

  public TakeSurroundings {
    ownPaths = List.copyOf(ownPaths);
    environment = Map.copyOf(environment);
  }
}
