/**
 * Replies in, text out: a table for people, tab-separated lines for scripts, JSON for programs.
 * Every printer prints every reply; text that came from a client or a disk never reaches a terminal
 * with its control characters. One thread.
 */
@NullMarked
package blksnap.cli.output;

import org.jspecify.annotations.NullMarked;
