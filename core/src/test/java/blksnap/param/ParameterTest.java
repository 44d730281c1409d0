package blksnap.param;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ParameterTest {
  @Test
  void hasTheSevenNamesAndDefaultsOfTheKernelModuleAndOneOfItsOwn() {
    String all =
        Arrays.stream(Parameter.values())
            .map(parameter -> parameter.key() + "=" + parameter.defaultValue())
            .collect(Collectors.joining("\n"));

    assertThat(all)
        .isEqualTo(
            """
            tracking_block_minimum_shift=16
            tracking_block_maximum_count=2097152
            chunk_minimum_shift=18
            chunk_maximum_count=2097152
            chunk_maximum_in_cache=32
            free_diff_buffer_pool_size=128
            diff_storage_minimum=2097152
            write_intent_region_shift=24\
            """);
  }

  @ParameterizedTest
  @EnumSource
  void isFoundByItsName(Parameter parameter) throws BlkSnapException {
    assertThat(Parameter.named(parameter.key())).isEqualTo(parameter);
  }

  @Test
  void isNotFoundByAnotherNameAndTheHintTellsTheNearest() {
    var refused =
        catchThrowableOfType(BlkSnapException.class, () -> Parameter.named("chunk_minimum"));

    assertThat(refused.errno()).isEqualTo(Errno.ENOENT);
    assertThat(refused.sentence()).contains("'chunk_minimum'");
    assertThat(refused.hint()).isEqualTo("did you mean 'chunk_minimum_shift'?");
  }

  @Test
  void isNotFoundByANameLikeNoneAndTheHintListsThemAll() {
    var refused = catchThrowableOfType(BlkSnapException.class, () -> Parameter.named("speed"));

    assertThat(refused.errno()).isEqualTo(Errno.ENOENT);
    assertThat(refused.hint())
        .contains(Arrays.stream(Parameter.values()).map(Parameter::key).toList());
  }

  @ParameterizedTest
  @EnumSource
  void takesBothEndsOfItsRangeAndItsDefault(Parameter parameter) throws BlkSnapException {
    assertThat(parameter.parse(Long.toString(parameter.minimum()))).isEqualTo(parameter.minimum());
    assertThat(parameter.parse(Long.toString(parameter.maximum()))).isEqualTo(parameter.maximum());
    assertThat(parameter.parse(Long.toString(parameter.defaultValue())))
        .isEqualTo(parameter.defaultValue());
  }

  @ParameterizedTest
  @EnumSource
  void refusesWhatIsJustOutsideItsRangeAndNamesTheRange(Parameter parameter) {
    String range = parameter.minimum() + " to " + parameter.maximum();
    for (long outside : new long[] {parameter.minimum() - 1, parameter.maximum() + 1}) {
      var refused =
          catchThrowableOfType(
              BlkSnapException.class, () -> parameter.parse(Long.toString(outside)));

      assertThat(refused.errno()).isEqualTo(Errno.EINVAL);
      assertThat(refused.sentence()).contains(parameter.key(), range, Long.toString(outside));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "abc", "1.5", "0x10", "16K", "99999999999999999999"})
  void refusesWhatIsNotAWholeNumber(String text) {
    var refused =
        catchThrowableOfType(
            BlkSnapException.class, () -> Parameter.CHUNK_MINIMUM_SHIFT.parse(text));

    assertThat(refused.errno()).isEqualTo(Errno.EINVAL);
    assertThat(refused.sentence()).contains("'" + text + "'", "12 to 30");
  }

  @Test
  void ignoresBlanksAroundTheNumber() throws BlkSnapException {
    assertThat(Parameter.CHUNK_MINIMUM_SHIFT.parse(" 20\n")).isEqualTo(20);
  }
}
