/** The command line: it parses, asks the engine over the control socket, and prints. */
@NullMarked
package blksnap.cli;

import org.jspecify.annotations.NullMarked;
