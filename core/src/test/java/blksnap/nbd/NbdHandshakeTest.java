package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import blksnap.nbd.NbdTestClient.OptionReply;
import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class NbdHandshakeTest {
  private static final int SIZE = 1 << 20;
  private static final int ACK = 1;
  private static final int ERR_UNSUP = 0x80000001;
  private static final int ERR_POLICY = 0x80000002;
  private static final int ERR_INVALID = 0x80000003;
  private static final int ERR_UNKNOWN = 0x80000006;
  private static final int ERR_SHUTDOWN = 0x80000007;
  private static final int ERR_TOO_BIG = 0x80000009;

  private static final int ERR_EXT_HEADER_REQD = 0x8000000a;

  /** HAS_FLAGS, FLUSH, FUA, TRIM, WRITE_ZEROES, CAN_MULTI_CONN, CACHE, FAST_ZERO. */
  private static final short WRITABLE = 0xd6d;

  private static final short DF = 0x80;

  private NbdTestServer server;
  private NbdTestClient client;

  @BeforeEach
  void connect() throws IOException {
    server = NbdTestServer.of(MemoryDevice.ofSize(SIZE));
    server.with("frozen", MemoryDevice.readOnly(new byte[512]));
    client = server.connect();
  }

  @AfterEach
  void close() throws IOException {
    client.close();
    server.close();
    assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
  }

  private static byte[] concat(Object... parts) {
    return NbdTestClient.bytes(parts);
  }

  @Test
  void greetsWithFixedNewstyleAndNoZeroes() throws IOException {
    assertThat(client.receive(18)).isEqualTo(concat("NBDMAGIC", "IHAVEOPT", (short) 3));
  }

  @Test
  void answersExportNameWithSizeFlagsAndPadding() throws IOException {
    client.greet(1);
    client.sendOption(1, concat("disk"));
    assertThat(client.receive(134)).isEqualTo(concat((long) SIZE, WRITABLE, new byte[124]));
    assertThat(client.read(0, 1)).containsExactly(0);
  }

  @Test
  void leavesThePaddingOutWhenAskedTo() throws IOException {
    client.greet(3);
    client.sendOption(1, concat("disk"));
    assertThat(client.receive(10)).isEqualTo(concat((long) SIZE, WRITABLE));
    assertThat(client.read(0, 1)).containsExactly(0);
  }

  @Test
  void servesExportNameToAClientWithoutFixedNewstyle() throws IOException {
    client.greet(0);
    client.sendOption(1, concat("disk"));
    assertThat(client.receive(134)).hasSize(134);
    assertThat(client.read(0, 1)).containsExactly(0);
  }

  @Test
  void hangsUpOnAnUnknownExportName() throws IOException {
    client.greet();
    client.sendOption(1, concat("nothing"));
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void answersAbortAndCloses() throws IOException {
    client.greet();
    assertThat(client.optionType(2)).isEqualTo(ACK);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void listsEveryExportWithItsDescription() throws IOException {
    client.greet();
    List<OptionReply> replies = client.option(3);
    assertThat(replies).hasSize(3);
    assertThat(replies.get(0).type()).isEqualTo(2);
    assertThat(replies.get(0).payload()).isEqualTo(concat(4, "disk", "the disk"));
    assertThat(replies.get(1).payload()).isEqualTo(concat(6, "frozen", "the frozen"));
    assertThat(replies.get(2).type()).isEqualTo(ACK);
  }

  @Test
  void refusesListWithData() throws IOException {
    client.greet();
    assertThat(client.optionType(3, (short) 1)).isEqualTo(ERR_INVALID);
    assertThat(client.optionType(3)).isEqualTo(ACK);
  }

  @Test
  void answersInfoWithEverythingAskedForAndStaysInNegotiation() throws IOException {
    client.greet();
    List<OptionReply> replies = client.option(6, NbdTestClient.infoData("disk", 3, 1, 2, 99));
    assertThat(replies).hasSize(5);
    assertThat(replies.get(0).payload()).isEqualTo(concat((short) 0, (long) SIZE, WRITABLE));
    assertThat(replies.get(1).payload()).isEqualTo(concat((short) 1, "disk"));
    assertThat(replies.get(2).payload()).isEqualTo(concat((short) 2, "the disk"));
    assertThat(replies.get(3).payload()).isEqualTo(concat((short) 3, 1, 4096, 32 << 20));
    assertThat(replies.get(4).type()).isEqualTo(ACK);
    assertThat(server.openedSessions()).isZero();
    assertThat(client.optionType(3)).isEqualTo(ACK);
  }

  @Test
  void neverSendsAnInformationTwice() throws IOException {
    client.greet();
    assertThat(client.option(6, NbdTestClient.infoData("disk", 0, 0, 3, 3))).hasSize(3);
  }

  @Test
  void givesTheSameAnswersToInfoAndToGo() throws IOException {
    client.greet();
    List<OptionReply> info = client.option(6, NbdTestClient.infoData("frozen", 1, 3));
    List<OptionReply> go = client.option(7, NbdTestClient.infoData("frozen", 1, 3));
    assertThat(go).hasSameSizeAs(info);
    for (int i = 0; i < go.size(); i++) {
      assertThat(go.get(i).type()).isEqualTo(info.get(i).type());
      assertThat(go.get(i).payload()).isEqualTo(info.get(i).payload());
    }
  }

  @Test
  void offersDontFragmentOnlyWithStructuredReplies() throws IOException {
    client.greet();
    assertThat(client.optionType(8)).isEqualTo(ACK);
    ByteBuffer export = client.option(6, NbdTestClient.infoData("disk")).getFirst().buffer();
    assertThat(export.getShort(10)).isEqualTo((short) (WRITABLE | DF));
  }

  @Test
  void offersNoChangesOfAReadOnlyExport() throws IOException {
    client.greet();
    ByteBuffer export = client.option(6, NbdTestClient.infoData("frozen")).getFirst().buffer();
    assertThat(export.getShort(10)).isEqualTo((short) 0x50f);
  }

  @Test
  void refusesAnUnknownExportAndGoesOn() throws IOException {
    client.greet();
    List<OptionReply> replies = client.option(6, NbdTestClient.infoData("nothing"));
    assertThat(replies).hasSize(1);
    assertThat(replies.getFirst().type()).isEqualTo(ERR_UNKNOWN);
    assertThat(replies.getFirst().text()).contains("nothing");
    assertThat(client.optionType(7, NbdTestClient.infoData("nothing"))).isEqualTo(ERR_UNKNOWN);
    assertThat(client.optionType(7, NbdTestClient.infoData(""))).isEqualTo(ERR_UNKNOWN);
    client.go("disk");
    assertThat(client.read(0, 1)).containsExactly(0);
  }

  @Test
  void saysWhyAnExportCannotBeOpenedNow() throws IOException {
    client.greet();
    var replyTypes =
        Map.of(
            Errno.EBUSY, ERR_POLICY,
            Errno.EPERM, ERR_POLICY,
            Errno.EACCES, ERR_POLICY,
            Errno.ESHUTDOWN, ERR_SHUTDOWN,
            Errno.ENOENT, ERR_UNKNOWN,
            Errno.EIO, ERR_UNKNOWN);
    for (Map.Entry<Errno, Integer> expected : replyTypes.entrySet()) {
      server.refuse(expected.getKey());
      List<OptionReply> replies = client.option(7, NbdTestClient.infoData("disk", 0, 1, 3));
      assertThat(replies).as("%s", expected).hasSize(1); // no INFO before it
      assertThat(replies.getFirst().type()).as("%s", expected).isEqualTo(expected.getValue());
      assertThat(replies.getFirst().text()).contains("disk cannot be opened now");
    }
    assertThat(client.optionType(2)).isEqualTo(ACK);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void refusesTheOptionsItDoesNotHaveAndGoesOn() throws IOException {
    client.greet();
    for (int option : new int[] {4, 12, 0, -1}) {
      assertThat(client.optionType(option, "data of any kind")).isEqualTo(ERR_UNSUP);
    }
    client.go("disk");
    assertThat(client.read(0, 1)).containsExactly(0);
  }

  @Test
  void refusesStructuredReplyWithDataAndTakesItTwice() throws IOException {
    client.greet();
    assertThat(client.optionType(8, 1)).isEqualTo(ERR_INVALID);
    assertThat(client.optionType(8)).isEqualTo(ACK);
    assertThat(client.optionType(8)).isEqualTo(ACK);
  }

  @Test
  void refusesTlsThatItDoesNotHave() throws IOException {
    client.greet();
    assertThat(client.optionType(5)).isEqualTo(ERR_UNSUP);
    assertThat(client.optionType(5, 1)).isEqualTo(ERR_INVALID);
    client.go("disk");
    assertThat(client.read(0, 1)).containsExactly(0);
  }

  @Test
  void takesExtendedHeadersOnceAndWithoutData() throws IOException {
    client.greet();
    assertThat(client.optionType(11, 1)).isEqualTo(ERR_INVALID);
    assertThat(client.optionType(8)).isEqualTo(ACK);
    assertThat(client.optionType(11)).isEqualTo(ACK);
    assertThat(client.optionType(11)).isEqualTo(ERR_INVALID);
    assertThat(client.optionType(8)).isEqualTo(ERR_EXT_HEADER_REQD);
    ByteBuffer export = client.option(6, NbdTestClient.infoData("disk")).getFirst().buffer();
    assertThat(export.getShort(10)).isEqualTo((short) (WRITABLE | DF));
  }

  @Test
  void hangsUpOnExportNameAfterExtendedHeaders() throws IOException {
    client.greet();
    assertThat(client.optionType(11)).isEqualTo(ACK);
    client.sendOption(1, concat("disk"));
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void offersToFilterContextsOnlyWithExtendedHeadersAndASelectionForTheExport() throws IOException {
    client.greet();
    client.option(8);
    byte[] info = NbdTestClient.infoData("disk");
    client.option(10, NbdTestClient.metaData("disk", "base:allocation"));
    short structured = client.option(6, info).getFirst().buffer().getShort(10);
    assertThat(structured).isEqualTo((short) (WRITABLE | DF));
    client.option(11);
    for (int option : new int[] {6, 7}) {
      short extended = client.option(option, info).getFirst().buffer().getShort(10);
      assertThat(extended).isEqualTo((short) (WRITABLE | DF | 0x1000));
    }
  }

  @Test
  void listsItsOneMetadataContext() throws IOException {
    client.greet();
    for (String[] queries : new String[][] {{}, {"base:"}, {"x:y", "base:allocation"}}) {
      List<OptionReply> replies = client.option(9, NbdTestClient.metaData("disk", queries));
      assertThat(replies).hasSize(2);
      assertThat(replies.getFirst().payload()).isEqualTo(concat(0, "base:allocation"));
    }
    assertThat(client.option(9, NbdTestClient.metaData("disk", "qemu:", "base:x"))).hasSize(1);
  }

  @Test
  void selectsAContextOnlyAfterStructuredReplies() throws IOException {
    client.greet();
    byte[] data = NbdTestClient.metaData("disk", "base:allocation");
    assertThat(client.optionType(10, data)).isEqualTo(ERR_INVALID);
    client.option(8);
    List<OptionReply> replies = client.option(10, data);
    assertThat(replies.getFirst().type()).isEqualTo(4);
    assertThat(replies.getFirst().payload()).isEqualTo(concat(1, "base:allocation"));
    assertThat(replies.getLast().type()).isEqualTo(ACK);
  }

  @Test
  void selectsNothingForWhatItDoesNotKnow() throws IOException {
    client.greet();
    client.option(8);
    byte[] data = NbdTestClient.metaData("disk", "base:", "base:other", "qemu:dirty-bitmap:b", "");
    assertThat(client.option(10, data)).hasSize(1);
    assertThat(client.optionType(10, NbdTestClient.metaData("disk"))).isEqualTo(ACK);
  }

  @Test
  void forgetsTheSelectionWhenTheNextOneFails() throws IOException {
    client.greet();
    client.option(8);
    client.option(10, NbdTestClient.metaData("disk", "base:allocation"));
    assertThat(client.optionType(10, NbdTestClient.metaData("nothing", "base:allocation")))
        .isEqualTo(ERR_UNKNOWN);
    client.go("disk");
    assertThat(client.errorOf(0, 7, 0, 512)).isEqualTo(22);
  }

  @Test
  void forgetsTheSelectionWhenTheNextOneIsMalformed() throws IOException {
    client.greet();
    client.option(8);
    client.option(10, NbdTestClient.metaData("disk", "base:allocation"));
    assertThat(client.optionType(10, 1)).isEqualTo(ERR_INVALID);
    client.go("disk");
    assertThat(client.errorOf(0, 7, 0, 512)).isEqualTo(22);
  }

  @Test
  void bindsTheSelectionToTheExportItWasMadeFor() throws IOException {
    client.greet();
    client.option(8);
    client.option(10, NbdTestClient.metaData("frozen", "base:allocation"));
    client.go("disk");
    assertThat(client.errorOf(0, 7, 0, 512)).isEqualTo(22);
  }

  @Test
  void takesAThousandQueriesAndNotOneMore() throws IOException {
    client.greet();
    String[] queries = new String[1000];
    Arrays.fill(queries, "a:b");
    assertThat(client.optionType(9, NbdTestClient.metaData("disk", queries))).isEqualTo(ACK);
    assertThat(client.optionType(9, 4, "disk", 1001)).isEqualTo(ERR_TOO_BIG);
    assertThat(client.optionType(9, 4, "disk", -1)).isEqualTo(ERR_TOO_BIG);
  }

  @Test
  void refusesInnerLengthsThatLie() throws IOException {
    client.greet();
    Object[][] lies = {
      {},
      {(short) 0},
      {4, "dis"},
      {-1, "disk"},
      {0x7fffffff, "disk"},
      {4, "disk"},
      {4, "disk", (short) 1},
      {4, "disk", (short) 0, (short) 0},
      {4, "disk", (short) -1, (short) 3}
    };
    for (Object[] data : lies) {
      assertThat(client.optionType(6, data)).isEqualTo(ERR_INVALID);
      assertThat(client.optionType(7, data)).isEqualTo(ERR_INVALID);
    }
    Object[][] metaLies = {
      {},
      {4, "disk"},
      {4, "disk", 1},
      {4, "disk", 1, 9, "base:"},
      {4, "disk", 1, -1, "base:"},
      {4, "disk", 0, 0},
      {-1, "disk", 0},
      {4, "disk", 2, 3, "a:b"}
    };
    for (Object[] data : metaLies) {
      assertThat(client.optionType(9, data)).isEqualTo(ERR_INVALID);
    }
    assertThat(client.optionType(3)).isEqualTo(ACK);
  }

  @Test
  void refusesNamesThatAreTooLong() throws IOException {
    client.greet();
    String longest = "n".repeat(4096);
    assertThat(client.optionType(6, NbdTestClient.infoData(longest))).isEqualTo(ERR_UNKNOWN);
    assertThat(client.optionType(6, NbdTestClient.infoData(longest + "n"))).isEqualTo(ERR_TOO_BIG);
    assertThat(client.optionType(9, NbdTestClient.metaData("disk", longest + "n")))
        .isEqualTo(ERR_TOO_BIG);
  }

  @Test
  void refusesNamesThatAreNotText() throws IOException {
    client.greet();
    byte[] broken = {(byte) 0xc3, 0x28};
    byte[] surrogate = {(byte) 0xed, (byte) 0xa0, (byte) 0x80};
    assertThat(client.optionType(6, 2, broken, (short) 0)).isEqualTo(ERR_INVALID);
    assertThat(client.optionType(6, 3, surrogate, (short) 0)).isEqualTo(ERR_INVALID);
    assertThat(client.optionType(6, 1, new byte[1], (short) 0)).isEqualTo(ERR_INVALID);
    assertThat(client.optionType(9, 4, "disk", 1, 2, broken)).isEqualTo(ERR_INVALID);
    client.sendOption(1, broken);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void looksNamesUpAndNeverTakesThemForPaths() throws IOException {
    client.greet();
    for (String name : new String[] {"../disk", "/disk", "/etc/passwd", ".", "disk/"}) {
      assertThat(client.optionType(6, NbdTestClient.infoData(name))).isEqualTo(ERR_UNKNOWN);
    }
  }

  @Test
  void hangsUpOnUnknownClientFlags() throws IOException {
    client.receive(18);
    client.send(7);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void hangsUpOnAnOptionWithoutItsMagic() throws IOException {
    client.greet();
    client.send(0x49484156454F5055L, 3, 0);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void hangsUpOnAnOptionOfAbsurdLength() throws IOException {
    client.greet();
    client.send(NbdTestClient.IHAVEOPT, 3, -1);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void takesAnOptionOfTheLongestLength() throws IOException {
    client.greet();
    assertThat(client.optionType(99, new byte[64 << 10])).isEqualTo(ERR_UNSUP);
    client.send(NbdTestClient.IHAVEOPT, 99, (64 << 10) + 1);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void hangsUpOnEndlessOptions() throws IOException {
    client.greet();
    for (int i = 0; i < 256; i++) {
      assertThat(client.optionType(99)).isEqualTo(ERR_UNSUP);
    }
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void hangsUpOnOptionsWithoutFixedNewstyle() throws IOException {
    client.greet(2);
    client.sendOption(3, new byte[0]);
    assertThat(client.hungUp()).isTrue();
  }

  @Test
  void answersPipelinedOptionsInOrder() throws IOException {
    client.greet();
    byte[] info = NbdTestClient.infoData("disk");
    client.send(
        concat(NbdTestClient.IHAVEOPT, 99, 0),
        concat(NbdTestClient.IHAVEOPT, 8, 0),
        concat(NbdTestClient.IHAVEOPT, 7, info.length, info),
        concat(0x25609513, (short) 0, (short) 3, 42L, 0L, 0));
    assertThat(client.optionReply().type()).isEqualTo(ERR_UNSUP);
    assertThat(client.optionReply().type()).isEqualTo(ACK);
    assertThat(client.optionReply().type()).isEqualTo(3);
    assertThat(client.optionReply().type()).isEqualTo(ACK);
    assertThat(client.reply(0).cookie()).isEqualTo(42);
  }
}
