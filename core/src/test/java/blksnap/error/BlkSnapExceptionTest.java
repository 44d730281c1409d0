package blksnap.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class BlkSnapExceptionTest {
  @Test
  void hasNoHintUntilOneIsGiven() {
    assertThat(new BlkSnapException(Errno.EIO, "read of 0+512 failed").hint()).isEmpty();
  }

  @Test
  void keepsItsErrnoSentenceCauseAndOriginWhenItGetsAHint() {
    var cause = new IOException("medium error");
    var plain = new BlkSnapException(Errno.ENOSPC, "4096 bytes are missing", cause);

    BlkSnapException hinted = plain.withHint("append storage");

    assertThat(hinted.errno()).isEqualTo(Errno.ENOSPC);
    assertThat(hinted.sentence()).isEqualTo("4096 bytes are missing");
    assertThat(hinted.hint()).isEqualTo("append storage");
    assertThat(hinted).hasCause(cause);
    assertThat(hinted.getStackTrace()).isEqualTo(plain.getStackTrace());
    assertThat(plain.hint()).isEmpty();
  }
}
