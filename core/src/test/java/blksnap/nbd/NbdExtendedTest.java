package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.nbd.NbdTestClient.OptionReply;
import blksnap.nbd.NbdTestClient.Reply;
import blksnap.testing.Bytes;
import blksnap.testing.HookedDevice;
import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Extended headers, CACHE, FAST_ZERO, and several metadata contexts at a time. */
@Timeout(60)
class NbdExtendedTest {
  private static final int SIZE = 8 << 20;
  private static final int READ = 0;
  private static final int WRITE = 1;
  private static final int TRIM = 4;
  private static final int CACHE = 5;
  private static final int ZEROES = 6;
  private static final int STATUS = 7;
  private static final int NO_HOLE = 2;
  private static final int DF = 4;
  private static final int REQ_ONE = 8;
  private static final int FAST_ZERO = 16;
  private static final int PAYLOAD_LEN = 32;
  private static final int EIO = 5;
  private static final int EINVAL = 22;
  private static final int ENOTSUP = 95;
  private static final int ERR_TOO_BIG = 0x80000009;

  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);
  private final List<String> calls = new CopyOnWriteArrayList<>();

  /** Contexts that "disk" has besides its own. */
  private final List<MetaContext> contexts = new ArrayList<>();

  private NbdTestServer server;
  private NbdTestClient client;

  /** A context that has a run of its own state for each KiB. */
  private record Stripes(String name, int first, boolean broken) implements MetaContext {
    @Override
    public List<Run> status(long offset, long length, int maxRuns) throws IOException {
      if (broken) {
        throw new IOException("the map is torn");
      }
      var runs = new ArrayList<Run>();
      for (long at = offset; at < offset + length && runs.size() < maxRuns; at += 1024) {
        runs.add(new Run(Math.min(1024, offset + length - at), first + runs.size()));
      }
      return runs;
    }
  }

  @BeforeEach
  void connect() throws IOException {
    server =
        NbdTestServer.of(
            new HookedDevice(
                disk, (call, offset, length) -> calls.add(call + " " + offset + "+" + length)));
    server.withContexts(contexts);
    client = server.connect();
  }

  @AfterEach
  void close() throws IOException {
    client.close();
    server.close();
    assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
    assertThat(server.pool().lentBytes()).isZero();
  }

  @Test
  void readsAndWritesByExtendedHeadersOnly() throws IOException {
    client.extended("disk");
    byte[] data = Bytes.pattern(1, 0, 100_000);
    assertThat(client.write(4096, data)).isZero();
    client.request(0, READ, 9, 4096, data.length);
    Reply reply = client.reply(0);
    assertThat(reply.type()).isEqualTo(1);
    assertThat(reply.done()).isTrue();
    assertThat(client.lastOffset()).isEqualTo(4096);
    assertThat(reply.payload()).isEqualTo(NbdTestClient.bytes(4096L, data));
    client.send(0x25609513, (short) 0, (short) READ, 1L, 0L, 512, 0); // compact, and too short
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void answersEverythingByChunks() throws IOException {
    client.extended("disk");
    for (int type : new int[] {READ, TRIM, CACHE, ZEROES}) {
      client.request(0, type, 3, 512, type == READ ? 0 : 512);
      Reply reply = client.reply(0);
      assertThat(reply.type()).isZero();
      assertThat(reply.done()).isTrue();
      assertThat(client.lastOffset()).isEqualTo(512);
    }
    client.request(0, READ, 3, 1L << 40, 512);
    Reply refused = client.reply(0);
    assertThat(refused.type()).isEqualTo(0x8001);
    assertThat(client.lastOffset()).isEqualTo(1L << 40);
  }

  @Test
  void sendsAHoleOfALongRead() throws IOException {
    client.extended("disk");
    client.request(0, READ, 3, 0, 1 << 20);
    Reply hole = client.reply(0);
    assertThat(hole.type()).isEqualTo(2);
    assertThat(hole.payload()).isEqualTo(NbdTestClient.bytes(0L, 1 << 20));
    disk.set(0, new byte[512]);
    client.request(DF, READ, 3, 0, 1 << 20);
    assertThat(client.reply(0).payload()).hasSize(8 + (1 << 20));
  }

  @Test
  void refusesAWriteWithoutThePayloadFlagAndReadsNoPayloadOfIt() throws IOException {
    client.extended("disk");
    assertThat(client.extendedError(0, WRITE, 0, 4096)).isEqualTo(EINVAL);
    assertThat(client.extendedError(PAYLOAD_LEN, WRITE, 0, 0)).isEqualTo(EINVAL);
    assertThat(client.extendedError(PAYLOAD_LEN, WRITE, 0, 3, (byte) 1, (byte) 2, (byte) 3))
        .isZero();
    assertThat(disk.content()).startsWith(1, 2, 3, 0);
  }

  @Test
  void drainsAPayloadThatTheCommandDoesNotTake() throws IOException {
    client.extended("disk", "base:allocation");
    for (int type : new int[] {READ, 3, TRIM, CACHE, ZEROES, 8, 99}) {
      assertThat(client.extendedError(PAYLOAD_LEN, type, 0, 5000, new byte[5000]))
          .isEqualTo(EINVAL);
    }
    assertThat(calls).isEmpty();
    assertThat(client.extendedError(0, 3, 0, 0)).isZero();
  }

  @Test
  void hangsUpOnAPayloadOverTheLimit() throws IOException {
    for (long length : new long[] {(32 << 20) + 1, 1L << 40, -1}) {
      try (NbdTestClient one = server.connect().extended("disk", "base:allocation")) {
        one.extendedRequest(PAYLOAD_LEN, length == -1 ? READ : WRITE, 1, 0, length);
        assertThat(one.hungUp()).isTrue();
      }
    }
  }

  @Test
  void drainsAWriteBeyondTheEndAndGoesOn() throws IOException {
    client.extended("disk");
    assertThat(client.write(SIZE - 1, new byte[20_000])).isEqualTo(28);
    assertThat(client.write(-1, new byte[20_000])).isEqualTo(28);
    assertThat(client.errorOf(0, 3, 0, 0)).isZero();
  }

  @Test
  void tellsRunsOf64Bits() throws IOException {
    disk.set(4096, new byte[4096]);
    client.extended("disk", "base:allocation");
    client.request(0, STATUS, 3, 0, SIZE);
    Reply reply = client.reply(0);
    assertThat(reply.type()).isEqualTo(6);
    assertThat(reply.done()).isTrue();
    assertThat(reply.payload())
        .isEqualTo(NbdTestClient.bytes(1, 3, 4096L, 3L, 4096L, 0L, SIZE - 8192L, 3L));
  }

  @Test
  void limitsTheRunsOfOneAnswer() throws IOException {
    contexts.add(new Stripes("x:stripes", 7, false));
    client.extended("disk", "x:stripes");
    client.request(0, STATUS, 3, 0, SIZE);
    assertThat(client.reply(0).payload()).hasSize(8 + 16 * 1000);
    client.request(REQ_ONE, STATUS, 3, 100, SIZE - 100);
    assertThat(client.reply(0).payload()).isEqualTo(NbdTestClient.bytes(1, 1, 1024L, 7L));
  }

  @Test
  void answersForEachSelectedContextByItsId() throws IOException {
    contexts.add(new Stripes("x:one", 1, false));
    contexts.add(new Stripes("x:two", 50, false));
    client.greet();
    client.option(8);
    byte[] wanted = NbdTestClient.metaData("disk", "x:two", "x:none", "base:allocation", "x:two");
    List<OptionReply> selected = client.option(10, wanted);
    assertThat(selected).hasSize(3);
    assertThat(selected.get(0).payload()).isEqualTo(NbdTestClient.bytes(1, "x:two"));
    assertThat(selected.get(1).payload()).isEqualTo(NbdTestClient.bytes(2, "base:allocation"));
    client.go("disk");
    client.request(0, STATUS, 3, 0, 1500);
    Reply two = client.reply(0);
    assertThat(two.done()).isFalse();
    assertThat(two.payload()).isEqualTo(NbdTestClient.bytes(1, 1024, 50, 476, 51));
    Reply allocation = client.reply(0);
    assertThat(allocation.done()).isTrue();
    assertThat(allocation.payload()).isEqualTo(NbdTestClient.bytes(2, 1500, 3));
  }

  @Test
  void tellsOfAContextThatFailsAfterThoseThatDidNot() throws IOException {
    contexts.add(new Stripes("x:torn", 1, true));
    client.extended("disk", "base:allocation", "x:torn");
    client.request(0, STATUS, 3, 0, 1500);
    assertThat(client.reply(0).done()).isFalse();
    Reply last = client.reply(0);
    assertThat(last.error()).isEqualTo(EIO);
    assertThat(last.done()).isTrue();
    assertThat(client.errorOf(0, 3, 0, 0)).isZero();
  }

  @Test
  void answersOnlyForTheContextsThatTheFilterNames() throws IOException {
    contexts.add(new Stripes("x:one", 1, false));
    contexts.add(new Stripes("x:two", 50, false));
    client.extended("disk", "x:one", "x:two", "base:allocation");
    client.extendedRequest(PAYLOAD_LEN, STATUS, 3, 512, 16, NbdTestClient.bytes(600L, 3, 2));
    Reply first = client.reply(0);
    assertThat(first.done()).isFalse();
    assertThat(first.payload()).isEqualTo(NbdTestClient.bytes(3, 1, 600L, 3L));
    Reply second = client.reply(0);
    assertThat(second.done()).isTrue();
    assertThat(second.payload()).isEqualTo(NbdTestClient.bytes(2, 1, 600L, 50L));
    assertThat(client.lastOffset()).isEqualTo(512);
  }

  @Test
  void refusesFiltersThatDoNotNameWhatWasSelected() throws IOException {
    contexts.add(new Stripes("x:one", 1, false));
    client.extended("disk", "x:one", "base:allocation");
    Object[][] filters = {
      {600L, 0},
      {600L, 3},
      {600L, -1},
      {600L, 1, 1},
      {600L, 1, 2, 1},
      {600L},
      {600L, (short) 1},
      {600},
      {0L, 1},
      {SIZE + 1L, 1},
      {-1L, 1},
      {600L, new byte[60_000]}
    };
    for (Object[] filter : filters) {
      byte[] payload = NbdTestClient.bytes(filter);
      assertThat(client.extendedError(PAYLOAD_LEN, STATUS, 0, payload.length, payload))
          .as(Arrays.toString(filter))
          .isEqualTo(EINVAL);
    }
    byte[] right = NbdTestClient.bytes(600L, 2);
    client.extendedRequest(PAYLOAD_LEN | REQ_ONE, STATUS, 3, 0, right.length, right);
    assertThat(client.reply(0).payload()).isEqualTo(NbdTestClient.bytes(2, 1, 600L, 3L));
  }

  @Test
  void takesNoFilterWithoutASelection() throws IOException {
    client.extended("disk");
    byte[] filter = NbdTestClient.bytes(600L, 1);
    assertThat(client.extendedError(PAYLOAD_LEN, STATUS, 0, filter.length, filter))
        .isEqualTo(EINVAL);
    assertThat(client.extendedError(0, STATUS, 0, 600)).isEqualTo(EINVAL);
    assertThat(client.errorOf(0, 3, 0, 0)).isZero();
  }

  @Test
  void listsContextsByNameAndByNamespace() throws IOException {
    contexts.add(new Stripes("x:one", 1, false));
    contexts.add(new Stripes("x:maps:two", 1, false));
    client.greet();
    assertThat(listed()).containsExactly("base:allocation", "x:one", "x:maps:two");
    assertThat(listed("x:")).containsExactly("x:one", "x:maps:two");
    assertThat(listed("x:maps:")).containsExactly("x:maps:two");
    assertThat(listed("x:maps:two", "base:", "x:maps:"))
        .containsExactly("x:maps:two", "base:allocation");
    assertThat(listed("y:", "x", "x:on", "")).isEmpty();
    client.option(8);
    assertThat(client.option(10, NbdTestClient.metaData("disk", "x:", "x:maps:"))).hasSize(1);
  }

  private List<String> listed(String... queries) throws IOException {
    List<OptionReply> replies = client.option(9, NbdTestClient.metaData("disk", queries));
    return replies.subList(0, replies.size() - 1).stream()
        .map(reply -> reply.text().substring(4))
        .toList();
  }

  @Test
  void selectsSixteenContextsAndNotOneMore() throws IOException {
    var names = new ArrayList<String>();
    for (int i = 0; i < 17; i++) {
      names.add("x:" + i);
      contexts.add(new Stripes("x:" + i, i, false));
    }
    client.greet();
    client.option(8);
    byte[] all = NbdTestClient.metaData("disk", names.toArray(String[]::new));
    assertThat(client.optionType(10, all)).isEqualTo(ERR_TOO_BIG);
    names.removeLast();
    byte[] most = NbdTestClient.metaData("disk", names.toArray(String[]::new));
    assertThat(client.option(10, most)).hasSize(17);
    client.go("disk");
    client.request(0, STATUS, 3, 0, 1000);
    for (int i = 1; i <= 16; i++) {
      Reply reply = client.reply(0);
      assertThat(reply.payload()).isEqualTo(NbdTestClient.bytes(i, 1000, i - 1));
      assertThat(reply.done()).isEqualTo(i == 16);
    }
  }

  @Test
  void readsWhatIsToBeCachedButNotMoreThanItsLimit() throws IOException {
    client.simple("disk");
    assertThat(client.errorOf(0, CACHE, 100, 5000)).isZero();
    assertThat(calls).containsExactly("READ 100+5000");
    calls.clear();
    assertThat(client.errorOf(1, CACHE, 4096, 3 << 20)).isZero();
    assertThat(calls)
        .containsExactly("READ 4096+1048576", "READ 1052672+1048576", "READ 2101248+1048576");
    calls.clear();
    server.with("large", MemoryDevice.ofSize(40 << 20));
    try (NbdTestClient large = server.connect().simple("large")) {
      assertThat(large.errorOf(0, CACHE, 0, 40 << 20)).isZero();
    }
    assertThat(server.server().counters().bytesRead()).isZero();
  }

  @Test
  void tellsThatWhatIsToBeCachedCanNotBeRead() throws IOException {
    server.with(
        "bad",
        new HookedDevice(
            disk,
            (call, offset, length) -> {
              throw new IOException("bad sector");
            }));
    client.simple("bad");
    assertThat(client.errorOf(0, CACHE, 0, 4096)).isEqualTo(EIO);
  }

  @Test
  void refusesFastZeroesWithoutAnyChangeWhereTheyAreNotFast() throws IOException {
    byte[] data = Bytes.pattern(1, 0, SIZE);
    disk.set(0, data);
    client.structured("disk");
    client.request(FAST_ZERO | NO_HOLE, ZEROES, 3, 0, 8192);
    Reply refused = client.reply(0);
    assertThat(refused.error()).isEqualTo(ENOTSUP);
    assertThat(disk.content()).isEqualTo(data);
    assertThat(calls).isEmpty();
    assertThat(client.errorOf(FAST_ZERO, ZEROES, 0, 8192)).isZero();
    Arrays.fill(data, 0, 8192, (byte) 0);
    assertThat(disk.content()).isEqualTo(data);
  }

  @Test
  void carriesTheReasonOfARefusalInWords() throws IOException {
    client.extended("disk");
    client.request(0, READ, 3, SIZE, 1);
    assertThat(client.sentence()).isEqualTo(SIZE + "+1 is beyond the export's " + SIZE + " bytes");
    client.request(0, 8, 3, SIZE, 0);
    assertThat(client.sentence()).isEqualTo("unknown command type 8");
    client.extendedRequest(0, WRITE, 3, 0, 1);
    assertThat(client.sentence()).isEqualTo("a WRITE without the flag PAYLOAD_LEN");
    client.extendedRequest(0, READ, 3, 0, 1L << 40);
    assertThat(client.sentence()).contains("1099511627776");
  }
}
