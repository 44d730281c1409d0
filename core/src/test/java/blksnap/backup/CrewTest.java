package blksnap.backup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class CrewTest {
  private record Part(long firstCluster) implements Crew.Part {}

  private static Crew.Worker<Part> idle() {
    return new Crew.Worker<>() {
      @Override
      public void work(Part part) {}

      @Override
      public void close() {}
    };
  }

  /** There is always more to do, until somebody fails. */
  @Test
  void aFailureOfTheOnlookerEndsTheWorkAndItIsNotAskedAgain() {
    var next = new AtomicInteger();
    var looks = new AtomicInteger();
    var failure = new IOException("the disk is gone");
    var crew =
        new Crew<Part>(
            () -> Optional.of(new Part(next.getAndIncrement())),
            CrewTest::idle,
            _ -> {},
            () -> false);
    assertThatThrownBy(() ->
            crew.run(
                "blksnap-test",
                2,
                () -> {
                  looks.incrementAndGet();
                  throw failure;
                }))
        .isSameAs(failure);
    assertThat(looks).hasValue(1);
  }

  @Test
  void theOnlookerSeesTheEnd() throws IOException {
    var next = new AtomicInteger();
    var seen = new AtomicInteger();
    var crew =
        new Crew<Part>(
            () ->
                next.get() == 100
                    ? Optional.empty()
                    : Optional.of(new Part(next.incrementAndGet())),
            CrewTest::idle,
            _ -> {},
            () -> false);
    crew.run("blksnap-test", 2, () -> seen.set(next.get()));
    assertThat(seen).hasValue(100);
  }
}
