/**
 * Direct buffers from pools with limits: a slow disk gives back-pressure to clients, not a growing
 * heap.
 */
@NullMarked
package blksnap.buffer;

import org.jspecify.annotations.NullMarked;
