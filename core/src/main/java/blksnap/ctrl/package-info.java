/**
 * The control protocol: requests and replies as records, their JSON form, and the two ends of the
 * unix socket. Knows nothing of the engine: a {@link blksnap.ctrl.CtrlHandler} answers. Every byte
 * stands in {@code core/docs/ctrl.md}.
 */
@NullMarked
package blksnap.ctrl;

import org.jspecify.annotations.NullMarked;
