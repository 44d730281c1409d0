package blksnap.nbd;

import java.time.Duration;

/**
 * What clients may take of the server.
 *
 * @param connections at a time; one more is closed at once
 * @param threadsPerConnection requests of one connection that are worked on at a time; further ones
 *     wait unread
 * @param bytesPerConnection payload of one connection held in memory at a time, at least one
 *     largest payload
 * @param handshake from accept to transmission
 * @param stall a client may leave a reply unread, or a WRITE half sent, for so long
 * @param drain how long closing, and a forced disconnect, wait for requests in flight
 */
public record NbdLimits(
    int connections,
    int threadsPerConnection,
    long bytesPerConnection,
    Duration handshake,
    Duration stall,
    Duration drain) {
  /**
   * 1024 connections of 16 requests and 64 MiB each; 10 s to negotiate, 60 s to stall, 10 s to
   * drain.
   */
  public static final NbdLimits DEFAULT =
      new NbdLimits(
          1024,
          16,
          64L << 20,
          Duration.ofSeconds(10),
          Duration.ofSeconds(60),
          Duration.ofSeconds(10));

  public NbdLimits {
    if (connections <= 0) {
      throw new IllegalArgumentException("connection limit " + connections + " is not positive");
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
