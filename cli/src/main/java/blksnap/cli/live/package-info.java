/**
 * What changes while it is looked at: a screen that is redrawn, figures per device and image, the
 * change map as a grid, and how far something is. Knows the terminal and replies, no command.
 *
 * <p>A view runs on the thread of its command; keys are read between two drawings.
 */
@NullMarked
package blksnap.cli.live;

import org.jspecify.annotations.NullMarked;
