/**
 * The interactive shell: the same commands over one kept connection, a place in the status tree,
 * history, and completion with live values. Ctrl-C cancels a line or ends a waiting command, never
 * the engine. It starts no other program.
 *
 * <p>Commands run on the thread that reads lines; live values for completion are asked on a second
 * one.
 */
@NullMarked
package blksnap.cli.repl;

import org.jspecify.annotations.NullMarked;
