/** What a client or a disk did wrong: an errno with a sentence. Everything may use it. */
@NullMarked
package blksnap.error;

import org.jspecify.annotations.NullMarked;
