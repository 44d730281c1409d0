/**
 * Parts that tests share: devices that live in memory or fail on demand, a clock that is moved by
 * hand, seeds.
 */
@NullMarked
package blksnap.testing;

import org.jspecify.annotations.NullMarked;
