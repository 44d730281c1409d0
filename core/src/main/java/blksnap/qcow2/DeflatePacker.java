package blksnap.qcow2;

import java.nio.ByteBuffer;
import java.util.zip.Deflater;

/** Raw deflate, as QEMU inflates it. */
final class DeflatePacker implements Packer {
  private final Deflater deflater = new Deflater(Deflater.BEST_SPEED, true);

  @Override
  public boolean pack(ByteBuffer cluster, ByteBuffer packed, int mostBytes) {
    deflater.reset();
    deflater.setInput(cluster.duplicate());
    deflater.finish();
    packed.clear().limit(mostBytes);
    deflater.deflate(packed);
    packed.flip();
    return deflater.finished();
  }

  @Override
  public void close() {
    deflater.end();
  }
}
