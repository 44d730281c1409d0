package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlRequest;
import blksnap.nbd.NbdTestClient.OptionReply;
import blksnap.nbd.NbdTestClient.Reply;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What an engine's exports tell of changes. Blocks are of 4 KiB. Block 3 is written, "s1" taken,
 * blocks 10 and 11 written, "s2" taken, block 20 written.
 */
@Timeout(120)
class NbdChangeContextsTest {
  private static final int BLOCK = 4096;
  private static final int SIZE = 64 * BLOCK;
  private static final int STATUS = 7;

  @TempDir private Path directory;

  private TestEngine engine;
  private Path socket;

  @BeforeEach
  void takeTwice() throws IOException {
    engine = new TestEngine(directory);
    socket = directory.resolve("run/nbd.sock");
    engine.attach("disk", Bytes.pattern(1, 0, SIZE));
    write("disk", 3, 1);
    engine.take("s1", "disk");
    write("disk", 10, 2);
    engine.take("s2", "disk");
    write("disk", 20, 1);
  }

  @AfterEach
  void close() throws IOException {
    engine.close();
  }

  private void write(String export, int block, int blocks) throws IOException {
    assertThat(engine.write(export, (long) block * BLOCK, new byte[blocks * BLOCK])).isZero();
  }

  private List<String> listed(String export, String... queries) throws IOException {
    try (NbdTestClient client = NbdTestClient.connect(socket).greet()) {
      List<OptionReply> replies = client.option(9, NbdTestClient.metaData(export, queries));
      return replies.subList(0, replies.size() - 1).stream()
          .map(reply -> reply.text().substring(4))
          .toList();
    }
  }

  /** What a context says of every block of the export, asked as often as it takes. */
  private int[] states(String export, String context) throws IOException {
    try (NbdTestClient client = NbdTestClient.connect(socket).greet()) {
      client.option(8);
      assertThat(client.option(10, NbdTestClient.metaData(export, context)))
          .as("%s has %s", export, context)
          .hasSize(2);
      client.go(export);
      int[] states = new int[SIZE / BLOCK];
      for (int at = 0; at < SIZE; ) {
        client.request(0, STATUS, 4, at, SIZE - at);
        Reply reply = client.reply(0);
        assertThat(reply.type()).isEqualTo(5);
        ByteBuffer payload = reply.buffer();
        assertThat(payload.getInt()).isEqualTo(1);
        int before = at;
        while (payload.hasRemaining()) {
          int length = payload.getInt();
          int state = payload.getInt();
          for (int end = at + length; at < end; at += BLOCK) {
            states[at / BLOCK] = state;
          }
        }
        assertThat(at).isGreaterThan(before).isLessThanOrEqualTo(SIZE);
      }
      return states;
    }
  }

  /** Blocks in this state are these, and all others are in state 0. */
  private static void assertOnly(int[] states, int state, int... blocks) {
    int[] expected = new int[SIZE / BLOCK];
    for (int block : blocks) {
      expected[block] = state;
    }
    assertThat(states).isEqualTo(expected);
  }

  @Test
  void listsTheContextsOfADeviceAndOfAnImage() throws IOException {
    assertThat(listed("disk"))
        .containsExactly(
            "base:allocation",
            "qemu:dirty-bitmap:since-2",
            "qemu:dirty-bitmap:since-s1",
            "qemu:dirty-bitmap:since-s2",
            "blksnap:cbt");
    assertThat(listed("disk@s2"))
        .containsExactly(
            "base:allocation",
            "qemu:dirty-bitmap:since-1",
            "qemu:dirty-bitmap:since-s1",
            "blksnap:cbt",
            "qemu:allocation-depth");
    assertThat(listed("disk", "qemu:")).hasSize(3);
    assertThat(listed("disk", "qemu:dirty-bitmap:")).hasSize(3);
    assertThat(listed("disk", "blksnap:")).containsExactly("blksnap:cbt");
    assertThat(listed("disk", "qemu:dirty-bitmap:since-0"))
        .containsExactly("qemu:dirty-bitmap:since-0");
    assertThat(listed("disk@s1", "qemu:")).hasSize(2);
  }

  @Test
  void hasNoContextForWhatTheMapDoesNotKnow() throws IOException {
    for (String name :
        new String[] {
          "qemu:dirty-bitmap:since-3",
          "qemu:dirty-bitmap:since-256",
          "qemu:dirty-bitmap:since--1",
          "qemu:dirty-bitmap:since-nobody",
          "qemu:dirty-bitmap:since-",
          "qemu:dirty-bitmap:s1",
          "qemu:allocation-depth",
          "blksnap:cbt2"
        }) {
      assertThat(listed("disk", name)).as(name).isEmpty();
    }
    assertThat(listed("disk@s1", "qemu:dirty-bitmap:since-s2")).isEmpty();
    assertThat(listed("disk@s1", "qemu:dirty-bitmap:since-s1")).isEmpty();
    assertThat(listed("disk@s1", "qemu:dirty-bitmap:since-1")).isEmpty();
  }

  @Test
  void tellsWhatHasChangedOnADeviceSinceASnapshotOrANumber() throws IOException {
    assertOnly(states("disk", "qemu:dirty-bitmap:since-s1"), 1, 10, 11, 20);
    assertOnly(states("disk", "qemu:dirty-bitmap:since-1"), 1, 10, 11, 20);
    assertOnly(states("disk", "qemu:dirty-bitmap:since-s2"), 1, 20);
    assertOnly(states("disk", "qemu:dirty-bitmap:since-0"), 1, 3, 10, 11, 20);
    write("disk", 63, 1);
    assertOnly(states("disk", "qemu:dirty-bitmap:since-s2"), 1, 20, 63);
  }

  @Test
  void tellsWhatHadChangedOnAnImage() throws IOException {
    assertOnly(states("disk@s2", "qemu:dirty-bitmap:since-s1"), 1, 10, 11);
    assertOnly(states("disk@s2", "qemu:dirty-bitmap:since-0"), 1, 3, 10, 11);
    assertOnly(states("disk@s1", "qemu:dirty-bitmap:since-0"), 1, 3);
    write("disk@s2", 40, 1); // a backup of the image has to read it again
    assertOnly(states("disk@s2", "qemu:dirty-bitmap:since-s1"), 1, 10, 11, 40);
  }

  @Test
  void tellsTheNumberOfEveryBlock() throws IOException {
    int[] numbers = new int[SIZE / BLOCK];
    numbers[3] = 1;
    numbers[10] = 2;
    numbers[11] = 2;
    assertThat(states("disk@s2", "blksnap:cbt")).isEqualTo(numbers);
    numbers[20] = 3;
    assertThat(states("disk", "blksnap:cbt")).isEqualTo(numbers);
  }

  @Test
  void tellsWhichBlocksOfAnImageAreHeldForIt() throws IOException {
    assertOnly(states("disk@s1", "qemu:allocation-depth"), 1, 10, 11, 20);
    assertOnly(states("disk@s2", "qemu:allocation-depth"), 1, 20);
    write("disk@s2", 40, 2);
    assertOnly(states("disk@s2", "qemu:allocation-depth"), 1, 20, 40, 41);
    assertOnly(states("disk@s1", "qemu:allocation-depth"), 1, 10, 11, 20);
  }

  @Test
  void answersPartsOfBlocksAndBeginsWithinOne() throws IOException {
    try (NbdTestClient client = NbdTestClient.connect(socket)) {
      client.extended("disk", "qemu:dirty-bitmap:since-s1");
      client.request(0, STATUS, 4, 9 * BLOCK + 100, 2 * BLOCK);
      assertThat(client.reply(0).payload())
          .isEqualTo(NbdTestClient.bytes(1, 2, BLOCK - 100L, 0L, BLOCK + 100L, 1L));
      client.request(8, STATUS, 4, 10 * BLOCK + 1, 10 * BLOCK);
      assertThat(client.reply(0).payload())
          .isEqualTo(NbdTestClient.bytes(1, 1, 2 * BLOCK - 1L, 1L));
      client.request(0, STATUS, 4, SIZE - 1, 1);
      assertThat(client.reply(0).payload()).isEqualTo(NbdTestClient.bytes(1, 1, 1L, 0L));
    }
  }

  @Test
  void goesOnTellingOfASnapshotThatWasDestroyedSince() throws IOException {
    try (NbdTestClient client = NbdTestClient.connect(socket)) {
      client.extended("disk", "qemu:dirty-bitmap:since-s1");
      engine.destroy("s1");
      client.request(0, STATUS, 4, 10 * BLOCK, BLOCK);
      assertThat(client.reply(0).payload()).isEqualTo(NbdTestClient.bytes(1, 1, (long) BLOCK, 1L));
    }
    assertThat(listed("disk", "qemu:dirty-bitmap:since-s1")).isEmpty();
    assertThat(listed("disk", "qemu:dirty-bitmap:since-1")).hasSize(1);
  }

  @Test
  void refusesToGoOnWithAMapWhoseGenerationIsOver() throws IOException {
    try (NbdTestClient client = NbdTestClient.connect(socket)) {
      client.extended("disk", "blksnap:cbt", "base:allocation");
      engine.ask(new CtrlRequest.Resize("disk", OptionalLong.of(SIZE / 2), true, false));
      client.request(0, STATUS, 4, 0, BLOCK);
      assertThat(client.sentence()).contains("generation").contains("is over");
      byte[] filter = NbdTestClient.bytes((long) BLOCK, 2);
      client.extendedRequest(32, STATUS, 4, 0, filter.length, filter);
      assertThat(client.reply(0).error()).isZero();
    }
    assertThat(listed("disk", "blksnap:cbt")).hasSize(1); // of the new one
  }
}
