/**
 * The status tree: directories and attributes like sysfs, whose values are read when they are
 * printed. The engine describes a {@link blksnap.status.LiveTree}; what travels and is printed is a
 * {@link blksnap.status.StatusNode}, a part of it as it was at one moment. Uses nothing above
 * {@code error}.
 */
@NullMarked
package blksnap.status;

import org.jspecify.annotations.NullMarked;
