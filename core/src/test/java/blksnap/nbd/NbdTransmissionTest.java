package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.NbdTestClient.Reply;
import blksnap.testing.HookedDevice;
import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class NbdTransmissionTest {
  private static final int SIZE = 48 << 20;
  private static final int READ = 0;
  private static final int WRITE = 1;
  private static final int FLUSH = 3;
  private static final int TRIM = 4;
  private static final int CACHE = 5;
  private static final int ZEROES = 6;
  private static final int STATUS = 7;
  private static final int FUA = 1;
  private static final int NO_HOLE = 2;
  private static final int DF = 4;
  private static final int REQ_ONE = 8;
  private static final int EPERM = 1;
  private static final int EIO = 5;
  private static final int EINVAL = 22;
  private static final int ENOSPC = 28;

  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);

  /** What the next calls for data fail with. */
  private volatile Optional<Throwable> failure = Optional.empty();

  private NbdTestServer server;
  private NbdTestClient client;

  @BeforeEach
  void connect() throws IOException {
    server =
        NbdTestServer.of(
            new HookedDevice(
                disk,
                (call, offset, length) -> {
                  switch (failure.orElse(null)) {
                    case IOException e -> throw e;
                    case RuntimeException e -> throw e;
                    case Error e -> throw e;
                    case null, default -> {}
                  }
                }));
    server.with("frozen", MemoryDevice.readOnly(random(8192)));
    client = server.connect();
  }

  @AfterEach
  void close() throws IOException {
    client.close();
    server.close();
    assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
    assertThat(server.pool().lentBytes()).isZero();
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private byte[] onDisk(int offset, int length) {
    return Arrays.copyOfRange(disk.content(), offset, offset + length);
  }

  @Test
  void writesAndReadsBackAnyLengthAtAnyOffset() throws IOException {
    client.simple("disk");
    int offset = 1;
    for (int length : new int[] {1, 511, 4096, 12288, 12289, 65536, 300_001, 3 << 20}) {
      byte[] data = random(length);
      assertThat(client.write(offset, data)).isZero();
      assertThat(onDisk(offset, length)).isEqualTo(data);
      assertThat(client.read(offset, length)).isEqualTo(data);
      offset += length;
    }
  }

  @Test
  void carriesTheLargestPayloadBothWays() throws IOException {
    client.simple("disk");
    byte[] data = random(32 << 20);
    assertThat(client.write(512, data)).isZero();
    assertThat(client.read(512, 32 << 20)).isEqualTo(data);
  }

  @Test
  void echoesTheCookie() throws IOException {
    client.simple("disk");
    client.request(0, FLUSH, 0xfedcba9876543210L, 0, 0);
    assertThat(client.reply(0).cookie()).isEqualTo(0xfedcba9876543210L);
  }

  @Test
  void answersAStructuredReadWithOneDataChunk() throws IOException {
    byte[] data = random(4096);
    disk.set(8192, data);
    client.structured("disk");
    client.request(0, READ, 9, 8192, 4096);
    Reply reply = client.reply(0);
    assertThat(reply.type()).isEqualTo(1);
    assertThat(reply.done()).isTrue();
    assertThat(reply.payload()).isEqualTo(NbdTestClient.bytes(8192L, data));
  }

  @Test
  void sendsALongStructuredReadInPieces() throws IOException {
    byte[] data = random(5 << 20);
    disk.set(0, data);
    client.structured("disk");
    client.request(0, READ, 9, 100, (5 << 20) - 100);
    byte[] got = readChunks(100, (5 << 20) - 100, 3);
    assertThat(got).isEqualTo(Arrays.copyOfRange(data, 100, 5 << 20));
  }

  /** Puts chunks together; every byte has to come once, in {@code chunks} chunks. */
  private byte[] readChunks(int offset, int length, int chunks) throws IOException {
    byte[] got = new byte[length];
    var covered = new BitSet();
    int count = 0;
    boolean done = false;
    while (!done) {
      Reply reply = client.reply(0);
      ByteBuffer payload = reply.buffer();
      int at = (int) payload.getLong() - offset;
      int bytes = reply.type() == 2 ? payload.getInt() : payload.remaining();
      assertThat(covered.get(at, at + bytes).cardinality()).isZero();
      covered.set(at, at + bytes);
      if (reply.type() == 1) {
        payload.get(got, at, bytes);
      }
      count++;
      done = reply.done();
    }
    assertThat(covered.cardinality()).isEqualTo(length);
    assertThat(count).isEqualTo(chunks);
    return got;
  }

  @Test
  void sendsOnePieceWhenTheClientWantsNoFragments() throws IOException {
    byte[] data = random(5 << 20);
    disk.set(0, data);
    client.structured("disk");
    client.request(DF, READ, 9, 0, 5 << 20);
    Reply reply = client.reply(0);
    assertThat(reply.done()).isTrue();
    assertThat(reply.payload()).isEqualTo(NbdTestClient.bytes(0L, data));
  }

  @Test
  void sendsWholeHolesAsHoles() throws IOException {
    client.structured("disk");
    client.request(0, READ, 9, 4096, 1 << 20);
    Reply reply = client.reply(0);
    assertThat(reply.type()).isEqualTo(2);
    assertThat(reply.done()).isTrue();
    assertThat(reply.payload()).isEqualTo(NbdTestClient.bytes(4096L, 1 << 20));
  }

  @Test
  void sendsLargeHolesBetweenDataAsHolesAndSmallOnesAsData() throws IOException {
    byte[] data = random(4096);
    disk.set(0, data);
    disk.set(8192, data); // a hole of 4 KiB before it
    disk.set(1 << 20, data); // a hole of almost 1 MiB before it
    client.structured("disk");
    client.request(0, READ, 9, 0, (1 << 20) + 4096);
    assertThat(readChunks(0, (1 << 20) + 4096, 3)).isEqualTo(onDisk(0, (1 << 20) + 4096));
  }

  @Test
  void sendsHolesAsZeroesWithinOneFragment() throws IOException {
    disk.set(0, random(4096));
    client.structured("disk");
    client.request(DF, READ, 9, 0, 1 << 20);
    assertThat(readChunks(0, 1 << 20, 1)).isEqualTo(onDisk(0, 1 << 20));
  }

  @Test
  void answersAReadOfNothing() throws IOException {
    client.structured("disk");
    client.request(0, READ, 9, SIZE, 0);
    Reply reply = client.reply(0);
    assertThat(reply.type()).isZero();
    assertThat(reply.done()).isTrue();
    assertThat(reply.payload()).isEmpty();
  }

  @Test
  void succeedsWithoutEffectOnLengthZero() throws IOException {
    client.simple("disk");
    assertThat(client.read(0, 0)).isEmpty();
    assertThat(client.write(SIZE, new byte[0])).isZero();
    assertThat(client.errorOf(0, TRIM, 5, 0)).isZero();
    assertThat(client.errorOf(0, ZEROES, 5, 0)).isZero();
    failure = Optional.of(new IOException("not to be called"));
    assertThat(client.write(0, new byte[0])).isZero();
  }

  @Test
  void flushesTheDevice() throws IOException {
    client.simple("disk");
    assertThat(client.errorOf(0, FLUSH, 0, 0)).isZero();
    assertThat(disk.flushes()).isEqualTo(1);
    assertThat(client.errorOf(0, FLUSH, 1, 0)).isEqualTo(EINVAL);
    assertThat(client.errorOf(0, FLUSH, 0, 1)).isEqualTo(EINVAL);
    assertThat(disk.flushes()).isEqualTo(1);
  }

  @Test
  void flushesBeforeItAnswersAChangeWithFua() throws IOException {
    client.simple("disk");
    client.request(FUA, WRITE, 1, 0, 4, (byte) 1, (byte) 2, (byte) 3, (byte) 4);
    assertThat(client.error()).isZero();
    assertThat(disk.flushes()).isEqualTo(1);
    assertThat(client.errorOf(FUA, TRIM, 0, 4096)).isZero();
    assertThat(disk.flushes()).isEqualTo(2);
    assertThat(client.errorOf(FUA, ZEROES, 0, 4096)).isZero();
    assertThat(disk.flushes()).isEqualTo(3);
  }

  @Test
  void takesFuaOnCommandsThatChangeNothing() throws IOException {
    client.structured("disk");
    client.request(FUA, READ, 1, 0, 0);
    assertThat(client.reply(0).error()).isZero();
    assertThat(client.errorOf(FUA, FLUSH, 0, 0)).isZero();
    assertThat(client.errorOf(FUA, STATUS, 0, 512)).isZero();
  }

  @Test
  void trimsAndZeroes() throws IOException {
    disk.set(0, random(65536));
    client.simple("disk");
    assertThat(client.errorOf(0, TRIM, 0, 8192)).isZero();
    assertThat(onDisk(0, 8192)).containsOnly(0);
    assertThat(client.errorOf(0, ZEROES, 8192, 4096)).isZero();
    assertThat(client.errorOf(NO_HOLE, ZEROES, 12288, 4096)).isZero();
    assertThat(onDisk(0, 16384)).containsOnly(0);
    assertThat(disk.allocation(0, 65536, 9))
        .containsExactly(
            new BlockDevice.Extent(12288, true), new BlockDevice.Extent(65536 - 12288, false));
  }

  @Test
  void tellsHolesFromDataByBlockStatus() throws IOException {
    disk.set(8192, random(8192));
    client.structured("disk");
    client.request(0, STATUS, 3, 4096, 65536);
    Reply reply = client.reply(0);
    assertThat(reply.type()).isEqualTo(5);
    assertThat(reply.done()).isTrue();
    assertThat(reply.payload())
        .isEqualTo(NbdTestClient.bytes(1, 4096, 3, 8192, 0, 65536 - 12288, 3));
  }

  @Test
  void answersWithOneExtentWhenAskedForOne() throws IOException {
    disk.set(8192, random(8192));
    client.structured("disk");
    client.request(REQ_ONE, STATUS, 3, 0, 65536);
    assertThat(client.reply(0).payload()).isEqualTo(NbdTestClient.bytes(1, 8192, 3));
    client.request(REQ_ONE, STATUS, 3, 0, 1000);
    assertThat(client.reply(0).payload()).isEqualTo(NbdTestClient.bytes(1, 1000, 3));
  }

  @Test
  void limitsTheExtentsOfOneAnswer() throws IOException {
    for (int i = 0; i < 2000; i++) {
      disk.set(i * 8192, new byte[4096]);
    }
    client.structured("disk");
    client.request(0, STATUS, 3, 0, SIZE);
    assertThat(client.reply(0).payload()).hasSize(4 + 8 * 1000);
  }

  @Test
  void refusesBlockStatusOfNothingAndWithoutAContext() throws IOException {
    client.structured("disk");
    assertThat(client.errorOf(0, STATUS, 0, 0)).isEqualTo(EINVAL);
    try (NbdTestClient other = server.connect().simple("disk")) {
      assertThat(other.errorOf(0, STATUS, 0, 512)).isEqualTo(EINVAL);
    }
  }

  @Test
  void refusesWhatLiesBeyondTheEnd() throws IOException {
    client.simple("disk");
    long[][] ranges = {
      {SIZE, 1},
      {SIZE - 1, 2},
      {SIZE + 1L, 0},
      {-1L, 1},
      {-1L, 0},
      {Long.MIN_VALUE, 512},
      {-512, 512},
      {Long.MAX_VALUE, 1},
      {0, SIZE + 1},
      {1, -1},
      {-4294967295L, -1}
    };
    for (long[] range : ranges) {
      assertThat(client.errorOf(0, READ, range[0], (int) range[1])).isEqualTo(EINVAL);
      assertThat(client.errorOf(0, TRIM, range[0], (int) range[1])).isEqualTo(EINVAL);
      assertThat(client.errorOf(0, ZEROES, range[0], (int) range[1])).isEqualTo(ENOSPC);
      assertThat(client.errorOf(0, STATUS, range[0], (int) range[1])).isEqualTo(EINVAL);
    }
    assertThat(client.write(SIZE - 3, new byte[4])).isEqualTo(ENOSPC);
    assertThat(client.write(-4, new byte[4])).isEqualTo(ENOSPC);
    assertThat(client.write(SIZE - 4, new byte[4])).isZero();
  }

  @Test
  void refusesUnknownCommandsAndFlagsAndGoesOn() throws IOException {
    client.simple("disk");
    assertThat(client.errorOf(0, 8, 512, 0)).isEqualTo(EINVAL);
    assertThat(client.errorOf(0, 0xffff, 0, 0)).isEqualTo(EINVAL);
    assertThat(client.errorOf(DF, READ, 0, 512)).isEqualTo(EINVAL); // not negotiated
    assertThat(client.errorOf(NO_HOLE, READ, 0, 512)).isEqualTo(EINVAL);
    assertThat(client.errorOf(0x8000, FLUSH, 0, 0)).isEqualTo(EINVAL);
    assertThat(client.errorOf(0x10, WRITE, 0, 0)).isEqualTo(EINVAL); // FAST_ZERO
    assertThat(client.errorOf(0x10, CACHE, 0, 512)).isEqualTo(EINVAL);
    assertThat(client.errorOf(REQ_ONE, TRIM, 0, 512)).isEqualTo(EINVAL);
    client.request(0x20, WRITE, 1, 0, 4, (byte) 1, (byte) 2, (byte) 3, (byte) 4);
    assertThat(client.error()).isEqualTo(EINVAL);
    assertThat(onDisk(0, 4)).containsOnly(0);
    assertThat(client.read(0, 4)).containsOnly(0);
  }

  @Test
  void refusesEveryChangeOfAReadOnlyExport() throws IOException {
    client.simple("frozen");
    assertThat(client.write(0, random(4096))).isEqualTo(EPERM);
    assertThat(client.write(0, random(100_000))).isEqualTo(EPERM);
    assertThat(client.errorOf(0, TRIM, 0, 512)).isEqualTo(EPERM);
    assertThat(client.errorOf(0, ZEROES, 0, 512)).isEqualTo(EPERM);
    assertThat(client.errorOf(0, FLUSH, 0, 0)).isZero();
    assertThat(client.read(0, 8192)).isEqualTo(random(8192));
  }

  @Test
  void drainsAWriteThatIsTooLongAndGoesOn() throws IOException {
    client.simple("disk");
    assertThat(client.write(0, new byte[(32 << 20) + 1])).isEqualTo(EINVAL);
    assertThat(client.errorOf(0, READ, 0, (32 << 20) + 1)).isEqualTo(EINVAL);
    assertThat(client.read(0, 1)).containsExactly(0);
  }

  @Test
  void hangsUpOnAWriteOfAbsurdLength() throws IOException {
    client.simple("disk");
    client.request(0, WRITE, 1, 0, -1);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void hangsUpOnARequestWithoutItsMagic() throws IOException {
    client.simple("disk");
    client.send(0x25609514, (short) 0, (short) 0, 1L, 0L, 512);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void tellsErrorsInTheProtocolsWords() throws IOException {
    client.simple("disk");
    Object[][] cases = {
      {new IOException("medium"), EIO},
      {new BlkSnapException(Errno.EIO, "corrupt"), EIO},
      {new BlkSnapException(Errno.ENOSPC, "full"), ENOSPC},
      {new BlkSnapException(Errno.EFBIG, "big"), ENOSPC},
      {new BlkSnapException(Errno.EROFS, "ro"), EPERM},
      {new BlkSnapException(Errno.EACCES, "no"), EPERM},
      {new BlkSnapException(Errno.ENOMEM, "memory"), 12},
      {new BlkSnapException(Errno.ENOTSUP, "never sent"), EINVAL},
      {new BlkSnapException(Errno.EOVERFLOW, "never sent"), EINVAL},
      {new BlkSnapException(Errno.ESHUTDOWN, "detached"), 108},
      {new BlkSnapException(Errno.ETIMEDOUT, "late"), EIO},
      {new IllegalStateException("our own bug"), EIO},
      {new IndexOutOfBoundsException("our own bug"), EIO},
      {new InternalError("a file was cut off below its mapping"), EIO}
    };
    for (Object[] one : cases) {
      failure = Optional.of((Throwable) one[0]);
      assertThat(client.errorOf(0, READ, 0, 512)).as("%s", one[0]).isEqualTo(one[1]);
      assertThat(client.errorOf(0, READ, 0, 1 << 20)).as("%s", one[0]).isEqualTo(one[1]);
      assertThat(client.write(0, new byte[512])).as("%s", one[0]).isEqualTo(one[1]);
      assertThat(client.errorOf(0, TRIM, 0, 512)).as("%s", one[0]).isEqualTo(one[1]);
      assertThat(client.errorOf(0, ZEROES, 0, 512)).as("%s", one[0]).isEqualTo(one[1]);
      assertThat(client.errorOf(0, FLUSH, 0, 0)).as("%s", one[0]).isEqualTo(one[1]);
    }
    failure = Optional.empty();
    assertThat(client.read(0, 4)).containsOnly(0);
  }

  @Test
  void tellsTheReasonInAStructuredError() throws IOException {
    client.structured("disk");
    failure = Optional.of(new BlkSnapException(Errno.EIO, "sector 7 is lost"));
    client.request(0, READ, 4, 0, 512);
    Reply reply = client.reply(0);
    assertThat(reply.done()).isTrue();
    assertThat(reply.payload()).isEqualTo(NbdTestClient.bytes(5, (short) 16, "sector 7 is lost"));
    assertThat(client.errorOf(0, READ, 0, 1 << 20)).isEqualTo(EIO);
    assertThat(client.errorOf(0, STATUS, 0, 1 << 20)).isEqualTo(EIO);
  }

  @Test
  void endsALongReadWithAnErrorWhenALaterPieceFails() throws IOException {
    disk.set(0, random(6 << 20));
    server.with(
        "half",
        new HookedDevice(
            disk,
            (call, offset, length) -> {
              if (call == HookedDevice.Call.READ && offset >= 4 << 20) {
                throw new IOException("the second half is broken");
              }
            }));
    client.structured("half");
    client.request(0, READ, 4, 0, 6 << 20);
    assertThat(client.reply(0).type()).isEqualTo(1);
    assertThat(client.reply(0).type()).isEqualTo(1);
    Reply last = client.reply(0);
    assertThat(last.error()).isEqualTo(EIO);
    assertThat(last.done()).isTrue();
  }

  @Test
  void answersEIORatherThanStaleMemoryWhenADeviceReadsTooLittle() throws IOException {
    server.with("lazy", new LazyDevice(disk));
    client.simple("lazy");
    assertThat(client.errorOf(0, READ, 0, 512)).isEqualTo(EIO);
    assertThat(client.errorOf(0, READ, 0, 1 << 20)).isEqualTo(EIO);
  }

  @Test
  void finishesWhatIsInFlightAtADisconnect() throws IOException {
    client.simple("disk");
    client.request(0, WRITE, 1, 0, 2, (byte) 5, (byte) 6);
    client.request(0, 2, 0, 0, 0);
    assertThat(client.error()).isZero();
    assertThat(client.hungUp()).isTrue();
    assertThat(onDisk(0, 2)).containsExactly(5, 6);
  }

  @Test
  void answersWhatCameBeforeTheClientClosedItsHalf() throws IOException {
    client.simple("disk");
    client.request(0, FLUSH, 1, 0, 0);
    client.shutdownOutput();
    assertThat(client.error()).isZero();
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void countsWhatItDid() throws IOException {
    client.simple("disk");
    client.write(0, new byte[1000]);
    client.read(0, 3000);
    client.errorOf(0, 8, 0, 0);
    NbdCounters counters = server.server().counters();
    assertThat(counters).isEqualTo(new NbdCounters(1, 0, 3, 1, 3000, 1000));
  }

  @Test
  void tellsWhoIsConnectedAndToWhat() throws IOException {
    client.simple("disk");
    client.read(0, 1);
    assertThat(server.server().clients())
        .singleElement()
        .satisfies(one -> {
          assertThat(one.peer()).startsWith("user " + System.getProperty("user.name"));
          assertThat(one.exportName()).isEqualTo("disk");
        });
  }
}
