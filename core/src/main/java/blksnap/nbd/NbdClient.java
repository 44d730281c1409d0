package blksnap.nbd;

import java.time.Instant;

/**
 * One connection, for the status tree.
 *
 * @param peer the user behind a unix socket, or the address of a TCP peer
 * @param exportName what it uses; empty while it negotiates
 * @param since when it connected
 * @param inFlight requests being worked on now
 */
public record NbdClient(String peer, String exportName, Instant since, int inFlight) {}
