/**
 * Backups of disks that are only in memory, tried with QEMU's own tools where they are installed.
 */
@NullMarked
package blksnap.backup;

import org.jspecify.annotations.NullMarked;
