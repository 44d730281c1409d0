package blksnap.nbd;

import java.time.Duration;

/**
 * What clients may take of the server.
 *
 * @param connections at a time; one more is closed at once
 * @param connectionsPerListener of them by one listening socket, so that what comes by TCP leaves
 *     places for the unix socket
 * @param connectionsPerClient of them by one client that is known: by the name in its certificate,
 *     or by its address where that is not our own host's
 * @param threadsPerConnection requests of one connection that are worked on at a time; further ones
 *     wait unread
 * @param moreThreads beyond one for each connection, over all connections; without them a
 *     connection's requests are worked on one after the other
 * @param bytesPerConnection payload of one connection held in memory at a time, at least one
 *     largest payload
 * @param patience how long a request waits for memory before it is worked on in small parts
 * @param handshake from accept to transmission
 * @param stall a client may leave a reply unread, or a WRITE half sent, for so long
 * @param drain how long closing, and a forced disconnect, wait for requests in flight
 */
public record NbdLimits(
    int connections,
    int connectionsPerListener,
    int connectionsPerClient,
    int threadsPerConnection,
    int moreThreads,
    long bytesPerConnection,
    Duration patience,
    Duration handshake,
    Duration stall,
    Duration drain) {
  /**
   * 1280 connections, 1024 of them by one socket and 256 by one client, of 16 requests and 64 MiB
   * each; 2304 threads; 50 ms of patience, 10 s to negotiate, 60 s to stall, 10 s to drain.
   */
  public static final NbdLimits DEFAULT =
      new NbdLimits(
          1280,
          1024,
          256,
          16,
          1024,
          64L << 20,
          Duration.ofMillis(50),
          Duration.ofSeconds(10),
          Duration.ofSeconds(60),
          Duration.ofSeconds(10));

  public NbdLimits {
    if (connections <= 0) {
      throw new IllegalArgumentException("connection limit " + connections + " is not positive");
    }
    if (connectionsPerListener <= 0 || connectionsPerClient <= 0 || moreThreads < 0) {
      throw new IllegalArgumentException(
          connectionsPerListener
              + " connections a listener, "
              + connectionsPerClient
              + " a client, "
              + moreThreads
              + " more threads");
    }
    if (threadsPerConnection <= 0) {
      throw new IllegalArgumentException(
          "thread limit " + threadsPerConnection + " is not positive");
    }
    if (bytesPerConnection < NbdProtocol.MAX_PAYLOAD_BYTES) {
      throw new IllegalArgumentException(
          bytesPerConnection + " bytes a connection do not hold one largest payload");
    }
  }
}
