/**
 * Parts that the tests of all packages share: an engine that answers from memory, and a way to run
 * a line against it.
 */
@NullMarked
package blksnap.cli.testing;

import org.jspecify.annotations.NullMarked;
