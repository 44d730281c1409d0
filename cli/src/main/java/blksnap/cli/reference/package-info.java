/**
 * What is written from the model of the commands, so that it cannot say something else than they
 * do: help, completion for bash and zsh, and the manual pages. One thread.
 */
@NullMarked
package blksnap.cli.reference;

import org.jspecify.annotations.NullMarked;
