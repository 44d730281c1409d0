package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.device.BlockDevice.Extent;
import java.util.List;
import org.junit.jupiter.api.Test;

class NbdExtentsTest {
  private static Extent data(long length) {
    return new Extent(length, false);
  }

  private static Extent hole(long length) {
    return new Extent(length, true);
  }

  @Test
  void mergesEqualNeighbours() {
    assertThat(NbdExtents.tidy(List.of(data(1), data(2), hole(4), hole(8), data(16)), 100))
        .containsExactly(data(3), hole(12), data(16));
  }

  @Test
  void cutsWhatReachesBeyondTheRequest() {
    assertThat(NbdExtents.tidy(List.of(data(10), hole(10), data(10)), 15))
        .containsExactly(data(10), hole(5));
    assertThat(NbdExtents.tidy(List.of(hole(100)), 1)).containsExactly(hole(1));
  }

  @Test
  void takesSmallHolesBetweenDataForData() {
    assertThat(NbdExtents.forRead(List.of(data(10), hole(9), data(10), hole(10)), 39, 10))
        .containsExactly(data(29), hole(10));
  }

  @Test
  void keepsASmallHoleThatIsAllThereIs() {
    assertThat(NbdExtents.forRead(List.of(hole(4), hole(4)), 8, 10)).containsExactly(hole(8));
  }

  @Test
  void takesWhatTheDeviceDidNotDescribeForData() {
    assertThat(NbdExtents.forRead(List.of(hole(20)), 50, 10)).containsExactly(hole(20), data(30));
  }
}
