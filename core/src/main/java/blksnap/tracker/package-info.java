/**
 * Tracked devices: every write passes through {@link blksnap.tracker.TrackedDevice}, which marks
 * it, preserves the old bytes for the newest snapshot, and only then does it, all under the
 * device's write gate. {@link blksnap.tracker.TrackerTable} is the registry and what it remembers
 * across loads.
 */
@NullMarked
package blksnap.tracker;

import org.jspecify.annotations.NullMarked;
