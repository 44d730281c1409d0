/**
 * The one I/O contract, {@link blksnap.device.BlockDevice}, and its implementation over a regular
 * file or a block device. Everything that is served to a client is a {@code BlockDevice}.
 */
@NullMarked
package blksnap.device;

import org.jspecify.annotations.NullMarked;
