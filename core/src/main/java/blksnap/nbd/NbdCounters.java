package blksnap.nbd;

/**
 * What the server did since it started.
 *
 * @param connections accepted, also those that never got beyond the handshake
 * @param refused closed at once because of the connection limit
 * @param requests received whole, disconnects not counted
 * @param failed of them, answered with an error
 * @param bytesRead data sent to clients, holes not counted
 * @param bytesWritten data of successful writes
 */
public record NbdCounters(
    long connections,
    long refused,
    long requests,
    long failed,
    long bytesRead,
    long bytesWritten) {}
