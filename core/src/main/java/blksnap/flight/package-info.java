/**
 * What Java's flight recorder is told of, for who looks why something took long. All events are off
 * until a recording asks for them; until then none is made, and what a request passes costs a call
 * that the compiler leaves out.
 *
 * <p>Nobody but this package uses {@code jdk.jfr}. Recording starts with {@code jcmd PID
 * JFR.start}; see {@code core/docs/recording.md}.
 */
@NullMarked
package blksnap.flight;

import org.jspecify.annotations.NullMarked;
