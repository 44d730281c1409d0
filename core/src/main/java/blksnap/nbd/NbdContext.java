package blksnap.nbd;

/**
 * A metadata context that was selected.
 *
 * @param id what it is called in replies, from 1
 */
record NbdContext(int id, MetaContext source) {}
