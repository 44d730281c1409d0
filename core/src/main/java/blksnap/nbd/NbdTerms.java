package blksnap.nbd;

import java.util.List;

/**
 * What client and server agreed upon.
 *
 * @param sizeBytes of the export
 * @param readOnly whether every change is refused
 * @param mode the form of requests and replies
 * @param contexts that were selected, in the order of their ids
 */
record NbdTerms(long sizeBytes, boolean readOnly, NbdMode mode, List<NbdContext> contexts) {
  NbdTerms {
    contexts = List.copyOf(contexts);
  }

  /** Whether BLOCK_STATUS may name the contexts it wants to hear of. */
  boolean statusPayload() {
    return mode == NbdMode.EXTENDED && !contexts.isEmpty();
  }

  /** What the client is told that it may do. */
  int transmissionFlags() {
    return NbdProtocol.transmissionFlags(readOnly, mode, statusPayload());
  }
}
