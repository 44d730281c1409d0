package blksnap.nbd;

/**
 * What client and server agreed upon.
 *
 * @param sizeBytes of the export
 * @param readOnly whether every change is refused
 * @param structured whether replies are structured
 * @param allocation whether {@code base:allocation} was selected
 */
record NbdTerms(long sizeBytes, boolean readOnly, boolean structured, boolean allocation) {}
