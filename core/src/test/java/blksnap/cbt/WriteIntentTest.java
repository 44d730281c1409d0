package blksnap.cbt;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import blksnap.testing.ManualClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WriteIntentTest {
  private static final int SHIFT = 24;
  private static final long REGION = 1L << SHIFT;

  /** Ten regions, the last one short. */
  private static final long CAPACITY = 9 * REGION + 512;

  @TempDir Path directory;

  private final ManualClock clock = new ManualClock();

  @SuppressWarnings("NullAway.Init") // before each test
  private CbtMap map;

  @SuppressWarnings("NullAway.Init") // before each test
  private WriteIntent intent;

  @BeforeEach
  void create() throws IOException {
    map = CbtMap.create(directory.resolve("cbt"), CbtGeometry.of(CAPACITY, 16, 2_097_152));
    intent = WriteIntent.create(path(), CAPACITY, SHIFT, clock);
  }

  @AfterEach
  void close() {
    intent.close();
    map.close();
  }

  private Path path() {
    return directory.resolve("intent");
  }

  private static ByteRange region(int number) {
    return new ByteRange(number * REGION, number == 9 ? 512 : REGION);
  }

  private void write(long offset, long length) throws IOException {
    map.mark(offset, length);
    intent.open(offset, length);
  }

  private void flush() {
    intent.flushEnds(intent.flushBegins(), true);
  }

  /** What a load finds that sees the file as it is now. */
  private List<ByteRange> found() throws IOException {
    Path copy = directory.resolve("copy");
    Files.copy(path(), copy, StandardCopyOption.REPLACE_EXISTING);
    try (WriteIntent again = WriteIntent.open(copy, clock)) {
      assertThat(again.capacityBytes()).isEqualTo(CAPACITY);
      return again.openRanges();
    }
  }

  @Test
  void aRegionIsOpenInTheFileBeforeItIsWritten() throws IOException {
    assertThat(found()).isEmpty();
    write(2 * REGION + 7, 1);
    assertThat(found()).containsExactly(region(2));
    write(4 * REGION - 1, 2);
    assertThat(found()).containsExactly(region(2), region(3), region(4));
    write(CAPACITY - 1, 1);
    assertThat(found()).containsExactly(region(2), region(3), region(4), region(9));
    assertThat(intent.openRanges()).isEqualTo(found());
  }

  @Test
  void aCheckpointClosesOnlyWhatRestedSinceTheOneBefore() throws IOException {
    write(0, 1);
    write(5 * REGION, 1);
    assertThat(intent.checkpoint(map)).as("another one is due").isTrue();
    assertThat(found()).containsExactly(region(0), region(5));
    write(5 * REGION + 9, 1);
    flush();
    assertThat(intent.checkpoint(map)).isTrue();
    assertThat(found()).containsExactly(region(5));
    assertThat(intent.checkpoint(map)).isFalse();
    assertThat(found()).isEmpty();
    assertThat(intent.checkpoint(map)).isFalse();
  }

  @Test
  void aRegionThatWasClosedIsOpenedAnew() throws IOException {
    write(REGION, 1);
    flush();
    intent.checkpoint(map);
    intent.checkpoint(map);
    assertThat(found()).isEmpty();
    write(REGION, 1);
    assertThat(found()).containsExactly(region(1));
  }

  @Test
  void whatWasOpenAtAKillRestsAndIsClosedByTheNextLoad() throws IOException {
    write(3 * REGION, 1);
    intent.close();
    intent = WriteIntent.open(path(), clock);
    assertThat(intent.openRanges()).containsExactly(region(3));
    assertThat(intent.checkpoint(map)).as("nobody knows of a flush").isTrue();
    flush();
    assertThat(intent.checkpoint(map)).isFalse();
    assertThat(found()).isEmpty();
  }

  @Test
  void aRegionStaysOpenUntilItsDataIsFlushed() throws IOException {
    write(REGION, 1);
    intent.checkpoint(map);
    assertThat(intent.checkpoint(map)).as("a power cut may bring older data back").isTrue();
    intent.flushEnds(intent.flushBegins(), false);
    assertThat(intent.checkpoint(map)).as("a flush that failed").isTrue();
    int early = intent.flushBegins();
    intent.written(REGION, 1);
    intent.flushEnds(early, true);
    intent.checkpoint(map);
    assertThat(intent.checkpoint(map)).as("a flush that began before the write ended").isTrue();
    assertThat(found()).containsExactly(region(1));
    flush();
    assertThat(intent.checkpoint(map)).isFalse();
    assertThat(found()).isEmpty();
  }

  @Test
  void whatNobodyFlushesAsksForAFlushWhenItHasRestedLong() throws IOException {
    write(0, 512);
    write(3 * REGION, 512);
    flush();
    write(0, 512);
    for (int i = 0; i < WriteIntent.CHECKPOINTS_TO_FLUSH; i++) {
      assertThat(intent.flushDue()).isFalse();
      intent.checkpoint(map); // the first one finds that it was written
      if (i == 1) {
        write(0, 512); // and it begins to rest anew
      }
    }
    assertThat(intent.flushDue()).isFalse();
    assertThat(intent.openRanges()).containsExactly(region(0));
    intent.checkpoint(map);
    intent.checkpoint(map);
    assertThat(intent.flushDue()).isFalse();
    intent.checkpoint(map);
    assertThat(intent.flushDue()).isTrue();
    flush();
    assertThat(intent.checkpoint(map)).isFalse();
    assertThat(intent.flushDue()).isFalse();
    assertThat(intent.openRanges()).isEmpty();
  }

  @Test
  void aRegionThatWasClosedWhileItWasWrittenIsOpenAgainBeforeTheWriteIsAnswered()
      throws IOException {
    write(REGION, 1);
    flush();
    intent.checkpoint(map);
    intent.checkpoint(map);
    assertThat(found()).isEmpty();
    intent.written(REGION, 1);
    assertThat(found()).containsExactly(region(1));
    assertThat(intent.checkpoint(map)).isTrue();
  }

  @Test
  void memoryAndFileAgreeWhenWritersRacedCheckpoints() throws Exception {
    var failures = new ArrayList<Throwable>();
    Thread writer =
        Thread.ofPlatform()
            .uncaughtExceptionHandler((thread, failure) -> failures.add(failure))
            .start(() -> {
              for (int i = 0; i < 3_000; i++) {
                int number = i * 7 % 9;
                try {
                  write(number * REGION + i, 1);
                } catch (IOException e) {
                  throw new AssertionError(e);
                }
              }
            });
    while (writer.isAlive()) {
      flush();
      intent.checkpoint(map);
    }
    writer.join();
    flush();
    assertThat(failures).isEmpty();
    assertThat(intent.openRanges()).as("memory and file agree").isEqualTo(found());
    intent.checkpoint(map);
    assertThat(intent.checkpoint(map)).isFalse();
    assertThat(found()).isEmpty();
  }

  @Test
  void whenNobodyWritesAnyMoreEveryRegionCanBeClosed() throws IOException {
    write(0, 1);
    write(7 * REGION, 2 * REGION);
    intent.closeRegions(map);
    assertThat(found()).isEmpty();
    write(REGION, 1);
    assertThat(found()).containsExactly(region(1));
  }

  @Test
  void theLeaseIsAlwaysAheadOfWhoWrites() throws IOException {
    assertThat(leaseFound()).isZero();
    write(0, 1);
    long first = leaseFound();
    assertThat(first).isEqualTo(clock.millis() + WriteIntent.LEASE_MILLIS);

    clock.advance(Duration.ofMillis(WriteIntent.LEASE_MILLIS - WriteIntent.LEASE_MARGIN_MILLIS));
    write(0, 1);
    assertThat(leaseFound()).as("enough is left of it").isEqualTo(first);

    clock.advance(Duration.ofMillis(1));
    write(0, 1);
    assertThat(leaseFound()).isEqualTo(clock.millis() + WriteIntent.LEASE_MILLIS);
  }

  @Test
  void aCheckpointOfADeviceInUseRenewsTheLeaseForItsWriters() throws IOException {
    write(0, 1);
    clock.advance(Duration.ofSeconds(5));
    intent.checkpoint(map);
    assertThat(leaseFound()).isEqualTo(clock.millis() + WriteIntent.LEASE_MILLIS);
  }

  private long leaseFound() throws IOException {
    Path copy = directory.resolve("copy");
    Files.copy(path(), copy, StandardCopyOption.REPLACE_EXISTING);
    try (WriteIntent again = WriteIntent.open(copy, clock)) {
      return again.leaseMillis();
    }
  }

  @Test
  void aDamagedRecordIsRefused() throws IOException {
    intent.close();
    byte[] whole = Files.readAllBytes(path());
    for (int at = 0; at < 24; at++) {
      byte[] damaged = whole.clone();
      damaged[at] ^= 4;
      Files.write(path(), damaged);
      refused(Errno.EBADMSG, () -> WriteIntent.open(path(), clock), path().toString());
    }
    Files.write(path(), Arrays.copyOf(whole, 4096));
    refused(Errno.EBADMSG, () -> WriteIntent.open(path(), clock), path().toString());
    Files.write(path(), whole);
    intent = WriteIntent.open(path(), clock);
  }
}
