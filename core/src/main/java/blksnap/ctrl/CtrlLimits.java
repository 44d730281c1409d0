package blksnap.ctrl;

/**
 * How many clients, and how long the end of a server may take.
 *
 * @param connections clients at a time; each costs two threads and at most 3 MiB
 * @param replyGraceMillis how long a client may take to read its last reply when the server closes
 * @param handlerGraceMillis how long a request that is being done may take to end when the server
 *     closes
 * @param abortGraceMillis how long a connection may take to end after it was interrupted or cut off
 */
record CtrlLimits(
    int connections, long replyGraceMillis, long handlerGraceMillis, long abortGraceMillis) {
  static final CtrlLimits DEFAULT = new CtrlLimits(64, 2_000, 30_000, 5_000);
}
