/**
 * Units that cannot be mixed up: runs of bytes, runs of 512-byte sectors, and block sizes that are
 * powers of two. Uses nothing but the JDK; everything may use it.
 */
@NullMarked
package blksnap.sector;

import org.jspecify.annotations.NullMarked;
