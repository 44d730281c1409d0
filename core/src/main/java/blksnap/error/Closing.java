package blksnap.error;

import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Closes several things, also when one of them fails. */
public final class Closing {
  private Closing() {}

  public static void all(List<? extends Closeable> several) throws IOException {
    @Nullable IOException failure = null;
    for (Closeable one : several) {
      try {
        one.close();
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** Closes them because of a failure, which is thrown on. */
  public static void after(Throwable failure, List<? extends Closeable> several) {
    try {
      all(several);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }
}
