/**
 * What the engine remembers across loads: small records, replaced whole, in the state directory.
 */
@NullMarked
package blksnap.state;

import org.jspecify.annotations.NullMarked;
