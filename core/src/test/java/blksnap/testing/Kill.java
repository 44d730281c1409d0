package blksnap.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a kill of the engine leaves behind, without a process to kill: the files as they are while
 * it lives, put back after it has been brought down in order. What is stored in mapped files counts
 * as stored, as it does for a killed process.
 */
public final class Kill {
  private final Path copies;
  private final List<Path> places;

  private Kill(Path copies, List<Path> places) {
    this.copies = copies;
    this.places = places;
  }

  /** Copies these files and directories as they are at this moment. */
  public static Kill at(Path copies, Path... places) throws IOException {
    for (int i = 0; i < places.length; i++) {
      copy(places[i], Files.createDirectories(copies).resolve(Integer.toString(i)));
    }
    return new Kill(copies, List.of(places));
  }

  /** Puts them back. */
  public void restore() throws IOException {
    for (int i = 0; i < places.size(); i++) {
      delete(places.get(i));
      copy(copies.resolve(Integer.toString(i)), places.get(i));
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> all = Files.walk(from)) {
      for (Path path : all.toList()) {
        Files.copy(
            path,
            to.resolve(from.relativize(path)),
            StandardCopyOption.COPY_ATTRIBUTES,
            LinkOption.NOFOLLOW_LINKS);
      }
    }
  }

  private static void delete(Path top) throws IOException {
    if (Files.exists(top, LinkOption.NOFOLLOW_LINKS)) {
      try (Stream<Path> all = Files.walk(top)) {
        all.sorted(Comparator.reverseOrder()).forEach(Kill::deleteOne);
      }
    }
  }

  private static void deleteOne(Path path) {
    try {
      Files.delete(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
