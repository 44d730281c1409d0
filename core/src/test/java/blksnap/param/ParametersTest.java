package blksnap.param;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class ParametersTest {
  private final Parameters parameters = new Parameters();

  @Test
  void startsWithTheDefaults() {
    for (Parameter parameter : Parameter.values()) {
      assertThat(parameters.get(parameter)).isEqualTo(parameter.defaultValue());
    }
  }

  @Test
  void changesOneValueAndLeavesTheOthers() {
    parameters.set(Parameter.CHUNK_MINIMUM_SHIFT, 20);

    assertThat(parameters.getInt(Parameter.CHUNK_MINIMUM_SHIFT)).isEqualTo(20);
    assertThat(parameters.get(Parameter.TRACKING_BLOCK_MINIMUM_SHIFT)).isEqualTo(16);
  }

  @Test
  void refusesAValueThatNobodyJudgedAndKeepsTheOldOne() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> parameters.set(Parameter.CHUNK_MINIMUM_SHIFT, 31))
        .withMessageContaining("chunk_minimum_shift=31");
    assertThat(parameters.get(Parameter.CHUNK_MINIMUM_SHIFT)).isEqualTo(18);
  }

  @Test
  void refusesToCutAValueThatDoesNotFitAnInt() {
    parameters.set(Parameter.DIFF_STORAGE_MINIMUM, 1L << 33);

    assertThatExceptionOfType(ArithmeticException.class)
        .isThrownBy(() -> parameters.getInt(Parameter.DIFF_STORAGE_MINIMUM));
  }
}
