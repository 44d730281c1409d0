/**
 * Hostile input: bytes on the NBD socket, lines on the control socket, files of the state
 * directory. Every case is made from a seed, which a failure prints.
 */
@NullMarked
package blksnap.fuzz;

import org.jspecify.annotations.NullMarked;
