/**
 * Copy-on-write of old data. A {@link blksnap.diffarea.DiffArea} holds the 4 KiB blocks of one
 * device that were overwritten after one take; an {@link blksnap.diffarea.AreaChain} is all areas
 * of a device from the oldest to the newest, and the rule that joins them: only the newest
 * preserves, and a block of a snapshot is in the first area, from its own on, that holds it, else
 * still on the device.
 *
 * <p>Threads: preserving shares the write gate of the device; taking and unlinking areas needs it
 * closed; reading needs neither. The design stands in {@code
 * core/docs/decisions/0004-data-path.md}.
 */
@NullMarked
package blksnap.diffarea;

import org.jspecify.annotations.NullMarked;
