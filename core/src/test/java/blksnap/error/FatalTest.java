package blksnap.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FatalTest {
  private static List<Throwable> raisedOf(Throwable... failures) throws InterruptedException {
    var raised = new ArrayList<Throwable>();
    Thread thread =
        Thread.ofPlatform()
            .uncaughtExceptionHandler((met, failure) -> raised.add(failure))
            .start(() -> {
              for (Throwable failure : failures) {
                Fatal.raise(failure);
              }
            });
    thread.join();
    return raised;
  }

  @Test
  void handsErrorsToTheHandlerOfTheThread() throws InterruptedException {
    var memory = new OutOfMemoryError();
    var linkage = new NoClassDefFoundError();
    var assertion = new AssertionError();
    assertThat(raisedOf(memory, linkage, assertion)).containsExactly(memory, linkage, assertion);
  }

  @Test
  void leavesFailuresOfOneRequestToIt() throws InterruptedException {
    assertThat(
            raisedOf(
                new IOException(), new IllegalStateException(), new InternalError("a mapped file")))
        .isEmpty();
  }
}
