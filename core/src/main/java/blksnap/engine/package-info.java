/**
 * The engine: five subsystems brought up in order and down in the reverse, and the answers to every
 * control request. Locks of the engine itself are taken before those of snapshots and devices.
 */
@NullMarked
package blksnap.engine;

import org.jspecify.annotations.NullMarked;
