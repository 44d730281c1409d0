/**
 * The NBD server: fixed newstyle negotiation and transmission over unix sockets and TCP on
 * loopback. It serves what an {@link blksnap.nbd.ExportTable} offers and knows nothing of
 * snapshots. Every byte of the wire stands in {@code core/docs/nbd.md}.
 */
@NullMarked
package blksnap.nbd;

import org.jspecify.annotations.NullMarked;
