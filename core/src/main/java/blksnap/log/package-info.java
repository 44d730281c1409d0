/**
 * The engine's own log: a bounded ring of lines that {@code blksnap dmesg} reads. Everything may
 * use it.
 */
@NullMarked
package blksnap.log;

import org.jspecify.annotations.NullMarked;
