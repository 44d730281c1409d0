/**
 * Snapshots: created over devices and diff storage, taken at one instant for all of them, destroyed
 * in any order, and found again by the next load. Each has a directory in the state directory; what
 * it holds stands in {@code core/docs/formats.md}, and in which order things become durable in
 * {@code core/docs/decisions/0005-crash-order.md}.
 */
@NullMarked
package blksnap.snapshot;

import org.jspecify.annotations.NullMarked;
