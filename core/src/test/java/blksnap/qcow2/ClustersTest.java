package blksnap.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ClustersTest {
  @Test
  void masksAreTheBitsFromAndTo() {
    assertThat(Clusters.mask(0, 0)).isZero();
    assertThat(Clusters.mask(32, 32)).isZero();
    assertThat(Clusters.mask(0, 1)).isEqualTo(1);
    assertThat(Clusters.mask(31, 32)).isEqualTo(1 << 31);
    assertThat(Clusters.mask(0, 32)).isEqualTo(Clusters.ALL);
    assertThat(Clusters.mask(3, 5)).isEqualTo(0b11000);
  }

  @Test
  void runsEndWhereTheBitsChange() {
    assertThat(Clusters.run(0, 0)).isEqualTo(32);
    assertThat(Clusters.run(Clusters.ALL, 5)).isEqualTo(27);
    assertThat(Clusters.run(0b11000, 0)).isEqualTo(3);
    assertThat(Clusters.run(0b11000, 3)).isEqualTo(2);
    assertThat(Clusters.run(0b11000, 5)).isEqualTo(27);
    assertThat(Clusters.run(1 << 31, 31)).isEqualTo(1);
  }

  @Test
  void theLastClusterOfADiskMayBeShort() {
    assertThat(Clusters.count(1)).isEqualTo(1);
    assertThat(Clusters.count(Clusters.CLUSTER_BYTES)).isEqualTo(1);
    assertThat(Clusters.count(Clusters.CLUSTER_BYTES + 512)).isEqualTo(2);
    assertThat(Clusters.within(0, 4096)).isEqualTo(1);
    assertThat(Clusters.within(0, 4097)).isEqualTo(0b11);
    assertThat(Clusters.within(0, Clusters.CLUSTER_BYTES)).isEqualTo(Clusters.ALL);
    assertThat(Clusters.within(1, Clusters.CLUSTER_BYTES)).isZero();
  }
}
