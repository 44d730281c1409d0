/**
 * What the engine promises, as a plain model: which bytes a disk, an image and a change map may
 * show at each moment, and what of it a kill or a power cut may take.
 */
@NullMarked
package blksnap.sim.oracle;

import org.jspecify.annotations.NullMarked;
