package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Seeds;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Sha256Test {
  private static final int ROUNDS = 300;

  @Test
  void hashesAsJavaDoesInWhateverPiecesTheBytesCome() {
    Seeds seeds = Seeds.ofRun();
    Random random = seeds.random();
    MessageDigest ours = Sha256.create();
    MessageDigest javas = Sha256.ofJava();
    for (int round = 0; round < ROUNDS; round++) {
      int pieces = random.nextInt(5);
      for (int piece = 0; piece < pieces; piece++) {
        byte[] bytes = new byte[random.nextInt(random.nextBoolean() ? 200 : 20_000)];
        random.nextBytes(bytes);
        javas.update(bytes);
        feed(ours, bytes, random.nextInt(4));
      }
      if (random.nextInt(10) == 0) {
        ours.update((byte) 7);
        javas.reset();
        ours.reset();
      }
      assertThat(ours.digest()).as("%s round %d", seeds, round).isEqualTo(javas.digest());
    }
    assertThat(ours.getDigestLength()).isEqualTo(javas.getDigestLength());
  }

  private static void feed(MessageDigest digest, byte[] bytes, int how) {
    switch (how) {
      case 0 -> digest.update(bytes);
      case 1 -> {
        byte[] within = new byte[bytes.length + 10];
        System.arraycopy(bytes, 0, within, 3, bytes.length);
        digest.update(within, 3, bytes.length);
      }
      case 2 -> digest.update(ByteBuffer.wrap(bytes));
      default -> {
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length + 10);
        buffer.put(5, bytes).position(5).limit(5 + bytes.length);
        digest.update(buffer);
        assertThat(buffer.remaining()).isZero();
      }
    }
  }
}
