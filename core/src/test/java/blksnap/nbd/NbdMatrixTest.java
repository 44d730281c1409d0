package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.nbd.NbdTestClient.Reply;
import blksnap.testing.Bytes;
import blksnap.testing.MemoryDevice;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every request, in every form, at every edge of the export. */
@Timeout(120)
class NbdMatrixTest {
  private static final int SIZE = 128 << 10;
  private static final int BLOCK_BYTES = MemoryDevice.BLOCK_BYTES;
  private static final int READ = 0;
  private static final int WRITE = 1;
  private static final int FLUSH = 3;
  private static final int TRIM = 4;
  private static final int CACHE = 5;
  private static final int ZEROES = 6;
  private static final int STATUS = 7;
  private static final int[] TYPES = {READ, WRITE, FLUSH, TRIM, CACHE, ZEROES, STATUS};
  private static final int FUA = 1;
  private static final int NO_HOLE = 2;
  private static final int DF = 4;
  private static final int REQ_ONE = 8;
  private static final int FAST_ZERO = 16;
  private static final int EPERM = 1;
  private static final int EINVAL = 22;
  private static final int ENOSPC = 28;
  private static final int ENOTSUP = 95;

  /** Offset and length, both unsigned. */
  private static final long[][] RANGES = {
    {0, 0},
    {0, 1},
    {0, 4096},
    {0, SIZE},
    {1, SIZE - 1},
    {1, SIZE},
    {4095, 2},
    {SIZE - 1, 1},
    {SIZE - 1, 2},
    {SIZE - 512, 512},
    {SIZE, 0},
    {SIZE, 1},
    {SIZE + 1L, 0},
    {0, SIZE + 1},
    {0, 0xffff_ffffL},
    {1, 0xffff_ffffL},
    {1L << 32, 1},
    {(1L << 32) + 4096, 4096},
    {Long.MAX_VALUE, 1},
    {Long.MIN_VALUE, 512},
    {-512, 512},
    {-1, 1},
    {-1, 0},
    {-4_294_967_295L, 0xffff_ffffL}
  };

  /** Lengths that only an extended header can hold. */
  private static final long[][] LONG_RANGES = {
    {0, 1L << 32}, {SIZE, 1L << 32}, {1, -1}, {0, Long.MIN_VALUE}, {-1, -1}, {4096, -4096}
  };

  private final byte[] content = Bytes.pattern(3, 0, SIZE);
  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);
  private final NbdTestServer server;

  NbdMatrixTest() throws IOException {
    server = NbdTestServer.of(disk).with("frozen", MemoryDevice.readOnly(content));
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
    assertThat(server.pool().lentBytes()).isZero();
  }

  /** The forms a client may choose. */
  enum Form {
    SIMPLE,
    STRUCTURED,
    EXTENDED
  }

  private NbdTestClient connect(Form form, String export) throws IOException {
    return switch (form) {
      case SIMPLE -> server.connect().simple(export);
      case STRUCTURED -> server.connect().structured(export);
      case EXTENDED -> server.connect().extended(export, "base:allocation");
    };
  }

  /** The flags that a request may have, alone and together. */
  private static int[] flags(int type, Form form) {
    return switch (type) {
      case READ -> form == Form.SIMPLE ? new int[] {0, FUA} : new int[] {0, DF, DF | FUA};
      case ZEROES -> new int[] {0, FUA, NO_HOLE, FAST_ZERO, FAST_ZERO | FUA, NO_HOLE | FAST_ZERO};
      case STATUS -> new int[] {0, REQ_ONE, REQ_ONE | FUA};
      default -> new int[] {0, FUA};
    };
  }

  private static int expected(
      int type, int flags, Form form, boolean readOnly, long offset, long length) {
    int error = expected(type, form, readOnly, offset, length);
    boolean slow = (flags & (NO_HOLE | FAST_ZERO)) == (NO_HOLE | FAST_ZERO); // in the test's device
    return error == 0 && type == ZEROES && slow ? ENOTSUP : error;
  }

  private static int expected(int type, Form form, boolean readOnly, long offset, long length) {
    boolean changes = type == WRITE || type == TRIM || type == ZEROES;
    boolean inside =
        Long.compareUnsigned(offset, SIZE) <= 0 && Long.compareUnsigned(length, SIZE - offset) <= 0;
    if (type == WRITE && form == Form.EXTENDED && length == 0) {
      return EINVAL;
    }
    if (type == FLUSH) {
      return offset == 0 && length == 0 ? 0 : EINVAL;
    }
    if (changes && readOnly) {
      return EPERM;
    }
    if (!inside) {
      return type == WRITE || type == ZEROES ? ENOSPC : EINVAL;
    }
    return type == STATUS && (form == Form.SIMPLE || length == 0) ? EINVAL : 0;
  }

  /** Takes all of an answer and judges what it carries; returns the error. */
  private int answer(NbdTestClient client, Form form, int type, int flags, long offset, long length)
      throws IOException {
    var data = new ByteArrayOutputStream();
    int chunks = 0;
    while (true) {
      Reply reply = client.reply(type == READ ? (int) length : 0);
      assertThat(reply.cookie()).isEqualTo(offset ^ type);
      if (form == Form.EXTENDED) {
        assertThat(client.lastOffset()).isEqualTo(offset);
      }
      boolean chunk = !reply.simple();
      assertThat(chunk)
          .isEqualTo(
              switch (form) {
                case SIMPLE -> false;
                case STRUCTURED -> type == READ || type == STATUS || reply.error() != 0;
                case EXTENDED -> true;
              });
      ByteBuffer payload = reply.buffer();
      if (type == READ && reply.error() == 0 && payload.hasRemaining()) {
        if (chunk) {
          assertThat(reply.type()).isEqualTo(1); // data, as there are no holes
          assertThat(payload.getLong()).isEqualTo(offset + data.size());
          chunks++;
        }
        byte[] piece = new byte[payload.remaining()];
        payload.get(piece);
        data.writeBytes(piece);
      }
      if (type == STATUS && reply.error() == 0) {
        assertThat(reply.type()).isEqualTo(form == Form.EXTENDED ? 6 : 5);
        assertThat(payload.getInt()).isEqualTo(1); // the only context
        if (form == Form.EXTENDED) {
          assertThat(payload.getInt()).isEqualTo(1);
          assertThat(payload.getLong()).isEqualTo(length);
          assertThat(payload.getLong()).isZero();
        } else {
          assertThat(payload.getInt()).isEqualTo((int) length);
          assertThat(payload.getInt()).isZero();
        }
        assertThat(payload.hasRemaining()).isFalse();
      }
      if (reply.done()) {
        if (type == READ && reply.error() == 0) {
          assertThat(data.toByteArray())
              .isEqualTo(Arrays.copyOfRange(content, (int) offset, (int) (offset + length)));
          assertThat((flags & DF) != 0 && chunks > 1).as("more than one chunk").isFalse();
        }
        return reply.error();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void answersEveryRequestAtEveryEdge(Form form) throws IOException {
    for (boolean readOnly : new boolean[] {false, true}) {
      try (NbdTestClient client = connect(form, readOnly ? "frozen" : "disk")) {
        for (int type : TYPES) {
          for (int flags : flags(type, form)) {
            for (long[] range : RANGES) {
              if (type != WRITE || range[1] <= SIZE + 1) { // longer: NbdTransmissionTest and others
                answersOne(client, form, readOnly, type, flags, range[0], range[1]);
              }
            }
          }
          assertThat(client.errorOf(0, FLUSH, 0, 0)).as("the stream goes on").isZero();
        }
      }
    }
  }

  private void answersOne(
      NbdTestClient client,
      Form form,
      boolean readOnly,
      int type,
      int flags,
      long offset,
      long length)
      throws IOException {
    disk.set(0, content); // no holes: every READ is data
    int flushes = disk.flushes();
    byte[] payload = type == WRITE ? Bytes.pattern(9, 0, (int) length) : new byte[0];
    client.request(flags, type, offset ^ type, offset, (int) length, payload);
    String story =
        "%s type %d, flags %x, of %d+%d, read-only %s"
            .formatted(form, type, flags, offset, length, readOnly);
    int error = answer(client, form, type, flags, offset, length);
    assertThat(error).as(story).isEqualTo(expected(type, flags, form, readOnly, offset, length));
    byte[] after = content.clone();
    boolean changes = error == 0 && (type == WRITE || type == TRIM || type == ZEROES);
    if (changes && type == TRIM) { // of whole blocks, in the test's device
      int first = (int) (offset + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
      int end = (int) (offset + length) / BLOCK_BYTES * BLOCK_BYTES;
      Arrays.fill(after, Math.min(first, end), end, (byte) 0);
    } else if (changes) {
      byte[] now = type == WRITE ? payload : new byte[(int) length];
      System.arraycopy(now, 0, after, (int) offset, now.length);
    }
    assertThat(Arrays.equals(disk.content(), after)).as(story).isTrue();
    if (!readOnly) {
      boolean durable = (error == 0 && type == FLUSH) || (changes && (flags & FUA) != 0);
      assertThat(disk.flushes() - flushes).as(story).isEqualTo(durable ? 1 : 0);
    }
  }

  /** Decision 0017: who may write may not cut off what others may yet want. */
  @ParameterizedTest
  @EnumSource
  void letsNobodyChangeTheSize(Form form) throws IOException {
    try (NbdTestClient asking = server.connect().greet()) {
      ByteBuffer info = asking.option(6, NbdTestClient.infoData("disk")).getFirst().buffer();
      assertThat(info.getShort(10) & 0x200).as("SEND_RESIZE").isZero();
    }
    try (NbdTestClient client = connect(form, "disk")) {
      for (long size : new long[] {0, 512, SIZE, 2 * SIZE, -1}) {
        client.request(0, 8, 5, size, 0);
        assertThat(client.error()).as("to %d", size).isEqualTo(EINVAL);
      }
      assertThat(client.errorOf(0, CACHE, 0, SIZE)).isZero();
      assertThat(client.errorOf(0, CACHE, SIZE, 1)).isEqualTo(EINVAL);
    }
  }

  @ParameterizedTest
  @EnumSource
  void takesNoFlagThatTheRequestDoesNotKnow(Form form) throws IOException {
    int[] known = {
      form == Form.SIMPLE ? FUA : FUA | DF, // READ
      form == Form.EXTENDED ? FUA | 0x20 : FUA, // WRITE: PAYLOAD_LEN
      FUA, // FLUSH
      FUA, // TRIM
      FUA, // CACHE
      FUA | NO_HOLE | FAST_ZERO, // WRITE_ZEROES
      form == Form.EXTENDED ? FUA | REQ_ONE | 0x20 : FUA | REQ_ONE // BLOCK_STATUS: PAYLOAD_LEN
    };
    int[] types = {READ, WRITE, FLUSH, TRIM, CACHE, ZEROES, STATUS};
    disk.set(0, content);
    try (NbdTestClient client = connect(form, "disk")) {
      for (int i = 0; i < types.length; i++) {
        for (int flag = 1; flag <= 0x8000; flag <<= 1) {
          if ((known[i] & flag) == 0) {
            boolean carries =
                types[i] == WRITE || (form == Form.EXTENDED && flag == 0x20); // PAYLOAD_LEN
            byte[] payload = carries ? new byte[512] : new byte[0];
            client.request(flag, types[i], 5, 0, types[i] == FLUSH && !carries ? 0 : 512, payload);
            assertThat(client.error())
                .as("%s type %d with flag %x", form, types[i], flag)
                .isEqualTo(EINVAL);
          }
        }
      }
      assertThat(disk.content()).isEqualTo(content);
      assertThat(client.errorOf(FUA, FLUSH, 0, 0)).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(names = "EXTENDED")
  void comparesLengthsOf64BitsAsUnsigned(Form form) throws IOException {
    disk.set(0, content);
    try (NbdTestClient client = connect(form, "disk")) {
      for (long[] range : LONG_RANGES) {
        for (int type : new int[] {READ, TRIM, CACHE, ZEROES, STATUS}) {
          assertThat(client.extendedError(0, type, range[0], range[1]))
              .as("type %d of %d+%d", type, range[0], range[1])
              .isEqualTo(expected(type, form, false, range[0], range[1]));
        }
      }
      assertThat(disk.content()).isEqualTo(content);
      assertThat(client.extendedError(0, ZEROES, 0, SIZE)).isZero();
      assertThat(Arrays.equals(disk.content(), new byte[SIZE])).isTrue();
    }
  }
}
