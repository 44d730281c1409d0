package blksnap.nbd;

import java.net.InetSocketAddress;
import java.nio.file.Path;

/** Something to listen on. */
public sealed interface NbdPlace {
  /**
   * @param path of the socket to create, in a directory only we may enter; nothing may stand there
   */
  record Unix(Path path) implements NbdPlace {}

  /**
   * @param address port 0 takes a free one
   */
  record Tcp(InetSocketAddress address) implements NbdPlace {}

  /**
   * A socket that listens already, and that whoever started this process has opened.
   *
   * @param descriptor its number, ours from now on
   */
  record Inherited(int descriptor) implements NbdPlace {}
}
