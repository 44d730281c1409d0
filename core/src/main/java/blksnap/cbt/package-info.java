/**
 * Changed-block tracking. A {@link blksnap.cbt.CbtMap} keeps one byte a block: the number of the
 * last interval between two takes that wrote it. A {@link blksnap.cbt.CbtSnapshot} is the map as it
 * was when a snapshot was taken. A {@link blksnap.cbt.WriteIntent} remembers, durably and before
 * the first write, which regions may hold marks that a power loss would take. Marking may
 * over-report a change, and never miss one.
 *
 * <p>Threads: marking is safe from any; switching intervals excludes marking, which is the write
 * gate's job.
 */
@NullMarked
package blksnap.cbt;

import org.jspecify.annotations.NullMarked;
