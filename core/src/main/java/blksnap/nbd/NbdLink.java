package blksnap.nbd;

/** The parts of one connection that its workers share. */
record NbdLink(
    NbdInput input,
    NbdOutput output,
    NbdTurn turn,
    NbdPace pace,
    NbdPayloads payloads,
    NbdInFlight inFlight) {}
