package blksnap.cli.live;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.utils.InfoCmp;
import org.jspecify.annotations.Nullable;

/** The terminal of this process, opened in the way that takes the least time. */
public final class Terminals {
  /** JLine's other ways to the system's calls make method handles, or start programs. */
  private static final String PROVIDER = "jni";

  private static final String LIBRARY_PATH = "library.jline.path";

  private Terminals() {}

  /** To be closed by the caller. */
  public static Terminal ofProcess() throws IOException {
    return open(TerminalBuilder.builder().name("blksnap").system(true));
  }

  /** The same, or one that can do nothing where there is none. */
  public static Terminal ofProcessOrDumb() throws IOException {
    return open(TerminalBuilder.builder().system(true).dumb(true));
  }

  /** One that a program reads and writes instead of a person, opened in the same way. */
  public static Terminal ofStreams(InputStream keys, OutputStream screen) throws IOException {
    Size window = new Size(80, 24);
    return open(
        TerminalBuilder.builder()
            .name("blksnap")
            .type("xterm")
            .system(false)
            .streams(keys, screen)
            .size(window));
  }

  private static Terminal open(TerminalBuilder builder) throws IOException {
    useUnpackedLibrary();
    useKnownCapabilities(System.getenv("TERM"));
    try {
      return builder.provider(PROVIDER).build();
    } catch (IOException | IllegalStateException e) { // there is no library for this machine
      return builder.provider(null).build();
    }
  }

  /** The build unpacks it; else each start would, into a directory that others write to, too. */
  private static void useUnpackedLibrary() {
    String home = System.getProperty("blksnap.home");
    if (home != null && System.getProperty(LIBRARY_PATH) == null) {
      Path unpacked = Path.of(home, "cli", "target", "lib", "native", "org", "jline", "nativ");
      System.setProperty(LIBRARY_PATH, unpacked.toString());
    }
  }

  /** JLine has those of common terminals, and would all the same start a program that tells. */
  private static void useKnownCapabilities(@Nullable String type) {
    String known = type == null ? null : InfoCmp.getDefaultInfoCmp(type);
    if (known != null) {
      InfoCmp.setLoadedInfoCmp(type, known);
    }
  }
}
