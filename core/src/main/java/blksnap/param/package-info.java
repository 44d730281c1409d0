/** The module parameters: names, ranges, and their live values. Everything may use it. */
@NullMarked
package blksnap.param;

import org.jspecify.annotations.NullMarked;
