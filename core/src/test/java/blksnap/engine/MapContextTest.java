package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.cbt.CbtGeometry;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.MetaContext.Run;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class MapContextTest {
  private static final int BLOCK = 4096;

  /** Over a map of these numbers, for a device of so many bytes. */
  private static MapContext context(long capacity, int... numbers) {
    byte[] bytes = new byte[numbers.length];
    for (int i = 0; i < numbers.length; i++) {
      bytes[i] = (byte) numbers[i];
    }
    return new MapContext(
        "x",
        (from, max) ->
            new MapContext.Page(
                new CbtGeometry(capacity, 12),
                Arrays.copyOfRange(
                    bytes,
                    (int) Math.min(bytes.length, from),
                    (int) Math.min(bytes.length, from + max))),
        number -> number);
  }

  @Test
  void mergesBlocksOfOneStateAndCutsTheEnds() throws IOException {
    MapContext map = context(4 * BLOCK, 7, 7, 0, 255);
    assertThat(map.status(100, 4 * BLOCK - 100, 9))
        .containsExactly(new Run(2 * BLOCK - 100, 7), new Run(BLOCK, 0), new Run(BLOCK, 255));
    assertThat(map.status(BLOCK, 10, 9)).containsExactly(new Run(10, 7));
    assertThat(map.status(0, 4 * BLOCK, 2)).hasSize(2);
  }

  @Test
  void endsWhereTheDeviceEndsByNow() throws IOException {
    MapContext map = context(BLOCK + 512, 1, 2);
    assertThat(map.status(0, 4 * BLOCK, 9)).isEqualTo(List.of(new Run(BLOCK, 1), new Run(512, 2)));
    for (long behind : new long[] {BLOCK + 512, BLOCK + 1024, 2 * BLOCK, 3 * BLOCK}) {
      assertThatExceptionOfType(BlkSnapException.class)
          .as("%d", behind)
          .isThrownBy(() -> map.status(behind, 512, 9))
          .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    }
  }

  @Test
  void goesOnOverManyPages() throws IOException {
    int blocks = 200_000;
    int[] numbers = new int[blocks];
    numbers[150_000] = 3;
    assertThat(context((long) blocks * BLOCK, numbers).status(0, (long) blocks * BLOCK, 9))
        .containsExactly(
            new Run(150_000L * BLOCK, 0), new Run(BLOCK, 3), new Run(49_999L * BLOCK, 0));
  }
}
