/** The image of a snapshot as a device: readable, writable, and gone with its snapshot. */
@NullMarked
package blksnap.snapimage;

import org.jspecify.annotations.NullMarked;
