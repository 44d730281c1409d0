/**
 * The engine's process: {@code load} starts it and waits until it serves, {@code load --foreground}
 * is it, and {@code --embedded} is an engine inside a command. The only package here that knows
 * {@code blksnap.engine}.
 */
@NullMarked
package blksnap.cli.daemon;

import org.jspecify.annotations.NullMarked;
