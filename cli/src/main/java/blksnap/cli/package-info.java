/**
 * The command line: {@link blksnap.cli.Main} runs one line, {@link blksnap.cli.CommandTree} says
 * which commands there are, {@link blksnap.cli.CommandErrors} turns what went wrong into a sentence
 * and an exit code.
 */
@NullMarked
package blksnap.cli;

import org.jspecify.annotations.NullMarked;
