package blksnap.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ErrnoTest {
  @Test
  void carriesTheNumbersOfLinux() {
    assertThat(Errno.ENOENT.number()).isEqualTo(2);
    assertThat(Errno.EIO.number()).isEqualTo(5);
    assertThat(Errno.EBUSY.number()).isEqualTo(16);
    assertThat(Errno.EINVAL.number()).isEqualTo(22);
    assertThat(Errno.ENOSPC.number()).isEqualTo(28);
    assertThat(Errno.ESHUTDOWN.number()).isEqualTo(108);
    assertThat(Errno.ETIMEDOUT.number()).isEqualTo(110);
  }

  @Test
  void givesNoNumberToTwoErrors() {
    assertThat(Arrays.stream(Errno.values()).map(Errno::number)).doesNotHaveDuplicates();
  }

  @Test
  void isFoundByItsNumber() {
    for (Errno errno : Errno.values()) {
      assertThat(Errno.of(errno.number())).isEqualTo(errno);
    }
  }

  @Test
  void becomesEioWhenTheKernelReportsOneThatIsNotListed() {
    assertThat(Errno.of(4095)).isEqualTo(Errno.EIO);
    assertThat(Errno.of(0)).isEqualTo(Errno.EIO);
  }

  @Test
  void meansWordsThatFitIntoASentence() {
    assertThat(Errno.values())
        .allSatisfy(errno -> assertThat(errno.meaning()).matches("[a-z][a-z /-]*[a-z]"));
  }
}
