package blksnap.cli.s3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.backup.ObjectStore;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which places there are, and how large objects are cut; nothing is asked of any store. */
final class S3ConnectionTest {
  private static final Map<String, String> ELSEWHERE =
      Map.of("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1");

  @ParameterizedTest
  @CsvSource({
    "s3://bucket, s3://bucket",
    "s3://bucket/, s3://bucket",
    "s3://bucket/a, s3://bucket/a",
    "s3://my.bucket-1//a/b//, s3://my.bucket-1/a/b"
  })
  void aPlaceIsABucketAndAPrefix(String place, String name) throws IOException {
    try (ObjectStore store = S3Connection.open(place, ELSEWHERE)) {
      assertThat(store.name()).isEqualTo(name);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"s3://", "s3:///a", "s3://B/a", "s3://a", "s3://under_score/a"})
  void anythingElseIsRefused(String place) {
    assertThatThrownBy(() -> S3Connection.open(place, ELSEWHERE))
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL))
        .hasMessageContaining(place);
  }

  @Test
  void noObjectHasMorePartsThanS3Takes() throws IOException {
    try (ObjectStore store = S3Connection.open("s3://bucket", ELSEWHERE)) {
      for (long size = 1 << 20; size <= 5L << 40; size = size * 3 + 1) {
        long part = store.partBytes(size);
        assertThat((size + part - 1) / part).as("%s", size).isLessThanOrEqualTo(10_000);
        assertThat(part).isGreaterThanOrEqualTo(5 << 20).isLessThanOrEqualTo(5L << 30);
      }
    }
  }

  @Test
  void bucketsOfTheSameNameInTwoStoresAreTwoPlaces() throws IOException {
    Map<String, String> other = Map.of("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2");
    try (ObjectStore one = S3Connection.open("s3://bucket/a", ELSEWHERE);
        ObjectStore two = S3Connection.open("s3://bucket/a", other)) {
      assertThat(one.name()).isEqualTo(two.name());
      assertThat(one.place()).contains(one.name()).isNotEqualTo(two.place());
    }
  }
}
