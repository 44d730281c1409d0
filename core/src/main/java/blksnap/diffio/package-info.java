/**
 * Moves whole blocks between a device and a buffer, on the way to diff storage or back, and checks
 * them: buffers from one bounded pool, a CRC-32C a block.
 */
@NullMarked
package blksnap.diffio;

import org.jspecify.annotations.NullMarked;
