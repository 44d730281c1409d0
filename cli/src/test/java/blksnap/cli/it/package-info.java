/**
 * The whole product at work: a daemon in a process of its own, commands over its control socket,
 * and clients over NBD, those people use and {@link blksnap.cli.it.NbdSession}.
 */
@NullMarked
package blksnap.cli.it;

import org.jspecify.annotations.NullMarked;
