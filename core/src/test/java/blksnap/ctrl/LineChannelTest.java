package blksnap.ctrl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class LineChannelTest {
  /** Gives its bytes, and takes others, a few at a time. */
  private static final class Trickle implements ByteChannel {
    private final ByteBuffer input;
    private final int portion;
    private final ByteArrayOutputStream output = new ByteArrayOutputStream();

    Trickle(String input, int portion) {
      this.input = ByteBuffer.wrap(input.getBytes(StandardCharsets.UTF_8));
      this.portion = portion;
    }

    @Override
    public int read(ByteBuffer target) {
      if (!input.hasRemaining()) {
        return -1;
      }
      int count = Math.min(portion, Math.min(input.remaining(), target.remaining()));
      for (int i = 0; i < count; i++) {
        target.put(input.get());
      }
      return count;
    }

    @Override
    public int write(ByteBuffer source) {
      int count = Math.min(portion, source.remaining());
      for (int i = 0; i < count; i++) {
        output.write(source.get());
      }
      return count;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 16_384, 1_000_000})
  void findsTheSameLinesHoweverTheBytesCome(int portion) throws IOException {
    String large = "x".repeat(100_000);
    var lines = new LineChannel(new Trickle("ab\n\n" + large + "\nhalf", portion), 100_000);
    assertThat(read(lines)).contains("ab");
    assertThat(read(lines)).contains("");
    assertThat(read(lines)).contains(large);
    assertThat(read(lines)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 1_000_000})
  void refusesALineThatIsTooLongBeforeItsEndCame(int portion) throws IOException {
    var lines = new LineChannel(new Trickle("x".repeat(10) + "\n" + "y".repeat(11), portion), 10);
    assertThat(read(lines)).contains("x".repeat(10));
    assertThatThrownBy(lines::read)
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EBADMSG));
  }

  @Test
  void writesAllOfALineThatTheChannelTakesInParts() throws IOException {
    var trickle = new Trickle("", 1_000);
    byte[] line = ("z".repeat(50_000) + "\n").getBytes(StandardCharsets.UTF_8);
    new LineChannel(trickle, 0).write(line);
    assertThat(trickle.output.toByteArray()).isEqualTo(line);
  }

  private static Optional<String> read(LineChannel lines) throws IOException {
    return lines.read().map(line -> new String(line, StandardCharsets.UTF_8));
  }
}
