/**
 * The status tree: directories and attributes like sysfs, whose values are read when they are
 * printed.
 */
@NullMarked
package blksnap.status;

import org.jspecify.annotations.NullMarked;
