/**
 * A machine in memory that a whole engine runs on: files with a write cache that loses, reorders
 * and tears at a power cut; faults at any call; threads that are interleaved by seed.
 */
@NullMarked
package blksnap.sim.machine;

import org.jspecify.annotations.NullMarked;
