package blksnap.ctrl;

/**
 * How many clients, how long they may keep us waiting, and how long the end of a server may take.
 *
 * @param connections clients at a time; each costs two threads and at most 3 MiB
 * @param firstRequestMillis from being accepted to the end of the first request's line
 * @param idleMillis from one reply to the end of the next request's line; a shell that is used
 *     again later connects again
 * @param stallMillis how long a client may leave a reply unread without any progress
 * @param replyGraceMillis how long a client may take to read its last reply when the server closes
 * @param handlerGraceMillis how long a request that is being done may take to end when the server
 *     closes
 * @param abortGraceMillis how long a connection may take to end after it was interrupted or cut off
 */
record CtrlLimits(
    int connections,
    long firstRequestMillis,
    long idleMillis,
    long stallMillis,
    long replyGraceMillis,
    long handlerGraceMillis,
    long abortGraceMillis) {
  static final CtrlLimits DEFAULT =
      new CtrlLimits(64, 60_000, 3_600_000, 60_000, 2_000, 30_000, 5_000);
}
