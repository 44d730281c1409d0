/**
 * Disk images in QEMU's format qcow2, version 3, as this program writes its backups: clusters of
 * 128 KiB in sub-clusters of 4 KiB (extended L2 entries), a backing file of the same kind, deflate.
 * {@link Qcow2Writer} makes a file in one go, {@link Qcow2File} reads one, {@link Qcow2Chain} reads
 * one with those below it. {@code docs/decisions/0016-backup-format.md} says what of the format is
 * used and why.
 */
@NullMarked
package blksnap.qcow2;

import org.jspecify.annotations.NullMarked;
