/**
 * Tests of the NBD server: by a client that sends any bytes, and by the real clients that are
 * installed.
 */
@NullMarked
package blksnap.nbd;

import org.jspecify.annotations.NullMarked;
