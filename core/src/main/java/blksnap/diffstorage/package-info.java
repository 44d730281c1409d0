/**
 * Where old bytes go: {@link blksnap.diffstorage.DiffStorage} hands out 4 KiB blocks of files and
 * block devices, counts what is in use, and says when space runs low. It knows nothing of what the
 * blocks mean. A block is named by its {@link blksnap.diffstorage.Location}, which stays valid
 * until it is released, also after the snapshot that the storage was made for is gone.
 */
@NullMarked
package blksnap.diffstorage;

import org.jspecify.annotations.NullMarked;
