package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class NbdOutputTest {
  private static ByteBuffer message(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  @Test
  void sendsNothingBehindAMessageThatEndedTooSoon() throws IOException {
    Pipe pipe = Pipe.open();
    var output = new NbdOutput(pipe.sink());
    output.begin();
    output.send(message("half of"));
    output.end(false);
    assertThatThrownBy(() -> output.send(message("a"))).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(() -> output.send(message("a"), message("b")))
        .isInstanceOf(ClosedChannelException.class);
    pipe.sink().close();
    ByteBuffer sent = ByteBuffer.allocate(100);
    while (pipe.source().read(sent) >= 0) {}
    assertThat(sent.flip()).isEqualTo(message("half of"));
  }
}
