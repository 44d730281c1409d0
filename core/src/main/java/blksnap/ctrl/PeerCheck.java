package blksnap.ctrl;

import java.nio.file.attribute.UserPrincipal;

/** Who may talk to an engine: the user it runs as, and root. */
final class PeerCheck {
  private PeerCheck() {}

  /**
   * @param peer the client's user as the kernel knows it
   * @param own the user this process acts as
   */
  static boolean mayTalk(UserPrincipal peer, UserPrincipal own) {
    return peer.equals(own) || isRoot(peer);
  }

  /** By name, or by number where nobody has a name for user 0. */
  private static boolean isRoot(UserPrincipal user) {
    return user.getName().equals("root") || user.getName().equals("0");
  }
}
