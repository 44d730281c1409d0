package blksnap.snapshot;

import blksnap.diffarea.FullPolicy;

/**
 * What a snapshot is created with.
 *
 * @param name empty: its UUID names it
 */
public record SnapshotConfig(String name, Durability durability, FullPolicy onFull) {}
