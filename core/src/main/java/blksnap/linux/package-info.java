/**
 * System calls that the JDK does not offer, through its foreign-function API: claims and locks,
 * holes and preallocation, positional I/O that an interrupt cannot close, block device ioctls.
 * Linux on x86-64 and arm64.
 *
 * <p>A {@link blksnap.linux.NativeFile} owns its descriptor, and no call can reach a descriptor
 * number that has meanwhile been closed and given to another file. Calls interrupted by a signal
 * are repeated. Safe from many threads. Uses nothing above {@code error}.
 */
@NullMarked
package blksnap.linux;

import org.jspecify.annotations.NullMarked;
