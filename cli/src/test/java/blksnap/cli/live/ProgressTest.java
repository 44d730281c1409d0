package blksnap.cli.live;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlProgress;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** How far something is, for people and for programs. */
final class ProgressTest {
  private static final String CLEAR = "\r\u001b[K";

  private final StringWriter text = new StringWriter();
  private final AtomicLong nanos = new AtomicLong(-5);

  @Test
  void isSilentAboutWhatIsDoneWithinASecond() {
    try (Progress bar = bar(80)) {
      pass(900);
      bar.tell("work", 9, 10);
    }
    assertThat(text.toString()).isEmpty();
  }

  @Test
  void drawsABarWithRateAndTimeLeftAndTakesItAway() {
    try (Progress bar = bar(80)) {
      bar.tell("reading bytes", 0, 10 << 20);
      pass(2_000);
      bar.tell("reading bytes", 5 << 20, 10 << 20);
      bar.tell("reading bytes", 6 << 20, 10 << 20); // too soon after the one before
    }
    assertThat(text.toString())
        .isEqualTo(
            CLEAR + "reading bytes  ████████████░░░░░░░░░░░░  50 %  2.5M/s  2 s left" + CLEAR);
  }

  @Test
  void neverWrapsAndSaysHowLongItLastsWhereNoEndIsKnown() {
    try (Progress bar = bar(12)) {
      pass(5_000);
      bar.accept(new CtrlProgress("waiting", 0, OptionalLong.empty()));
    }
    assertThat(text.toString()).isEqualTo(CLEAR + "waiting  5 " + CLEAR);
  }

  @Test
  void saysWhatWasDoneToHowManyBytes() {
    SequencedMap<String, Long> amounts = new LinkedHashMap<>();
    amounts.put("read", 3L << 20);
    amounts.put("stored", 4096L);
    try (Progress bar = bar(120)) {
      pass(2_000);
      bar.tell("copying, bytes", 5 << 20, 10 << 20, amounts);
    }
    assertThat(text.toString()).contains(" 50 %  3M read  4K stored" + CLEAR);
    text.getBuffer().setLength(0);
    Progress lines = new ProgressLines(new PrintWriter(text), nanos::get);
    pass(1_000);
    lines.tell("copying", 5, 10, amounts);
    assertThat(text.toString())
        .isEqualTo(
            "{\"progress\":{\"stage\":\"copying\",\"done\":5,\"total\":10,"
                + "\"read\":3145728,\"stored\":4096}}\n");
  }

  @Test
  void tellsProgramsOnceASecond() {
    Progress lines = new ProgressLines(new PrintWriter(text), nanos::get);
    lines.tell("work", 1, 10);
    pass(1_000);
    lines.tell("work", 2, 10);
    lines.tell("work", 3, 10);
    pass(1_000);
    lines.accept(new CtrlProgress("rest", 4, OptionalLong.empty()));
    assertThat(text.toString())
        .isEqualTo(
            """
            {"progress":{"stage":"work","done":2,"total":10}}
            {"progress":{"stage":"rest","done":4}}
            """);
  }

  private Progress bar(int columns) {
    return new ProgressBar(new PrintWriter(text), nanos::get, () -> columns, true);
  }

  private void pass(long millis) {
    nanos.addAndGet(TimeUnit.MILLISECONDS.toNanos(millis));
  }
}
