package blksnap.ctrl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class ProgressSenderTest {
  /** Counts what is written, until it breaks. */
  private static final class Counter implements ByteChannel {
    private int lines;
    private int longestLine;
    private boolean broken;

    @Override
    public int write(ByteBuffer source) throws IOException {
      if (broken) {
        throw new IOException("the client has gone");
      }
      lines++;
      int count = source.remaining();
      longestLine = Math.max(longestLine, count);
      source.position(source.limit());
      return count;
    }

    @Override
    public int read(ByteBuffer target) {
      return -1;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }

  private long nanos;
  private final Counter counter = new Counter();
  private final ProgressSender sender =
      new ProgressSender(new JsonPrimitive(1), new LineChannel(counter, 0), () -> nanos);

  private void tell() {
    sender.accept(new CtrlProgress("merge", 1, OptionalLong.empty()));
  }

  @Test
  void sendsTheFirstAtOnceAndTheNextAfterAWhile() {
    tell();
    tell();
    assertThat(counter.lines).isEqualTo(1);
    nanos += ProgressSender.INTERVAL_NANOS;
    tell();
    assertThat(counter.lines).isEqualTo(2);
  }

  @Test
  void sendsSeldomAndNoMoreThanFitIntoTheBuffer() {
    long halfAnHour = TimeUnit.MINUTES.toNanos(30);
    while (nanos < halfAnHour) {
      tell();
      nanos += ProgressSender.INTERVAL_NANOS;
    }
    assertThat(counter.lines).isBetween(90, ProgressSender.MAX_LINES);
    nanos += TimeUnit.DAYS.toNanos(1);
    for (int i = 0; i < ProgressSender.MAX_LINES; i++) {
      tell();
      nanos += TimeUnit.DAYS.toNanos(1);
    }
    assertThat(counter.lines).isEqualTo(ProgressSender.MAX_LINES);
  }

  @Test
  void sendsNothingAfterTheReply() {
    sender.end();
    tell();
    assertThat(counter.lines).isZero();
  }

  @Test
  void doesNotDisturbTheWorkWhenTheClientHasGone() {
    counter.broken = true;
    tell();
    counter.broken = false;
    nanos += ProgressSender.INTERVAL_NANOS;
    tell();
    assertThat(counter.lines).isZero();
  }

  @Test
  void cutsTheNameOfAStage() {
    sender.accept(new CtrlProgress("x".repeat(100_000), 1, OptionalLong.of(2)));
    assertThat(counter.lines).isEqualTo(1);
    assertThat(counter.longestLine).isLessThan(300);
  }

  @Test
  void isNeverMoreThanAll() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new CtrlProgress("merge", 3, OptionalLong.of(2)));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new CtrlProgress("merge", -1, OptionalLong.empty()));
  }
}
