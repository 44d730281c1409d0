/** What happens to a snapshot and a client may wait for. Each event reaches exactly one waiter. */
@NullMarked
package blksnap.eventqueue;

import org.jspecify.annotations.NullMarked;
