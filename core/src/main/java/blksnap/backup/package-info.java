/**
 * Backups of disks as chains of qcow2 images. A {@link BackupStore} holds the points of each
 * device: an image, the hashes of what it holds, and a {@link Manifest}, which is written last.
 * {@link DeviceBackup} adds a point, {@link Verification} proves one, {@link Restore} writes one
 * back, {@link Prune} removes some, {@link PointExport} serves one. An engine is not needed for any
 * of them: a disk is read from an NBD export.
 */
@NullMarked
package blksnap.backup;

import org.jspecify.annotations.NullMarked;
