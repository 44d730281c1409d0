package blksnap.nbd;

/** How a listening socket treats TLS; fixed for every connection that comes by it. */
enum NbdTlsDemand {
  /** STARTTLS is refused. */
  OFF,

  /** A client may speak TLS. */
  OFFERED,

  /** Nothing is said before TLS is up. */
  REQUIRED
}
