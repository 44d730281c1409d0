package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.nbdclient.NbdAddress;
import blksnap.nbdclient.NbdClient;
import blksnap.qcow2.LocalFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.locks.Lock;

/** What a point is written to, used by one thread. Buffers are direct. */
interface RestoreTarget extends Closeable {
  void read(long offset, ByteBuffer target) throws IOException;

  void write(long offset, ByteBuffer source) throws IOException;

  /** Makes a range read as zeroes, in the cheapest way there is. */
  void zero(long offset, long length) throws IOException;

  /** A file or block device; stays its owner's. */
  final class OfFile implements RestoreTarget {
    private static final int ZEROES_BYTES = 1 << 20;

    private final NativeFile file;
    private final Optional<NativeFile> direct;
    private final Lock turn;
    private final boolean device;

    /**
     * @param direct the same file past the page cache, for what is large; stays its owner's
     * @param turn of the one thread that writes to a regular file: file systems let no second one,
     *     and in the kernel it would wait at the cost of a processor that others could use
     */
    OfFile(NativeFile file, Optional<NativeFile> direct, Lock turn) throws BlkSnapException {
      this.file = file;
      this.direct = direct;
      this.turn = turn;
      FileStatus status = file.stat();
      this.device = status.isBlockDevice();
    }

    @Override
    public void read(long offset, ByteBuffer target) throws IOException {
      LocalFile.readFully(file, offset, target);
    }

    @Override
    public void write(long offset, ByteBuffer source) throws IOException {
      if (device) {
        LocalFile.writeFully(file, offset, source);
        return;
      }
      if (direct.isPresent() && DirectTarget.fits(offset, source)) {
        LocalFile.writeFully(direct.get(), offset, source);
        return;
      }
      turn.lock();
      try {
        LocalFile.writeFully(file, offset, source);
      } finally {
        turn.unlock();
      }
    }

    /** A hole of a file stays as it is. */
    @Override
    public void zero(long offset, long length) throws IOException {
      long end = offset + length;
      for (long at = offset; at < end; ) {
        OptionalLong data = device ? OptionalLong.of(at) : file.nextData(at);
        if (data.isEmpty() || data.getAsLong() >= end) {
          return;
        }
        OptionalLong hole = device ? OptionalLong.empty() : file.nextHole(data.getAsLong());
        long stop = Math.min(end, hole.orElse(end));
        clear(data.getAsLong(), stop - data.getAsLong());
        at = stop;
      }
    }

    private void clear(long offset, long length) throws IOException {
      try {
        if (device) {
          file.blockZeroOut(offset, length);
        } else {
          file.punchHole(offset, length);
        }
      } catch (BlkSnapException e) {
        if (e.errno() != Errno.ENOTSUP && e.errno() != Errno.EINVAL) {
          throw e;
        }
        for (long at = offset; at < offset + length; ) {
          int bytes = (int) Math.min(ZEROES_BYTES, offset + length - at);
          write(at, ByteBuffer.allocateDirect(bytes));
          at += bytes;
        }
      }
    }

    @Override
    public void close() {}
  }

  /** An export, by a connection of its own. */
  final class OfExport implements RestoreTarget {
    private final NbdClient client;

    OfExport(NbdAddress address) throws IOException {
      this.client = NbdClient.connect(address);
    }

    @Override
    public void read(long offset, ByteBuffer target) throws IOException {
      client.read(offset, target);
    }

    @Override
    public void write(long offset, ByteBuffer source) throws IOException {
      client.write(offset, source);
    }

    @Override
    public void zero(long offset, long length) throws IOException {
      client.writeZeroes(offset, length);
    }

    @Override
    public void close() throws IOException {
      client.flush();
      client.close();
    }
  }
}
