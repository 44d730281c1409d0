/**
 * The commands of the tools that came with the kernel module, of both generations, under their own
 * names, with their options, output and exit codes, so that scripts that were written for them run.
 * They are hidden from help and completion; blksnap-upstream(7) lists them. All of them ask the
 * engine what our own commands ask it.
 */
@NullMarked
package blksnap.cli.upstream;

import org.jspecify.annotations.NullMarked;
