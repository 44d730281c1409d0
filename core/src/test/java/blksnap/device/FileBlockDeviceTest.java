package blksnap.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.contract.BlockDeviceContract;
import blksnap.device.BlockDevice.Extent;
import blksnap.device.FileBlockDevice.Cache;
import blksnap.device.FileBlockDevice.Options;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileBlockDeviceTest {
  private static final Options WRITEBACK = new Options(false, Cache.WRITEBACK);
  private static final Options DIRECT = new Options(false, Cache.DIRECT);
  private static final Options READ_ONLY = new Options(true, Cache.WRITEBACK);
  private static final int PIECE = 64 * 1024; // no file system has larger blocks

  @TempDir private Path directory;

  /** The contract over a file, opened in one way. */
  abstract static class FileContract extends BlockDeviceContract {
    private final Cache cache;
    private final int leastDirectUnit;

    @TempDir private Path directory;
    private int files;

    FileContract(Cache cache, int leastDirectUnit) {
      this.cache = cache;
      this.leastDirectUnit = leastDirectUnit;
    }

    private Path newFile() throws IOException {
      Path path = directory.resolve("disk" + files++);
      try (FileChannel channel =
          FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.allocate(1), SIZE_BYTES - 1);
      }
      return path;
    }

    @Override
    protected BlockDevice create() throws IOException {
      return FileBlockDevice.open(newFile(), new Options(false, cache), leastDirectUnit);
    }

    @Override
    protected Optional<BlockDevice> createReadOnly() throws IOException {
      Path path = newFile();
      Files.write(path, Bytes.pattern(1, 0, SIZE_BYTES));
      return Optional.of(FileBlockDevice.open(path, new Options(true, cache), leastDirectUnit));
    }
  }

  @Nested
  class ThroughThePageCache extends FileContract {
    ThroughThePageCache() {
      super(Cache.WRITEBACK, 512);
    }
  }

  @Nested
  class PastThePageCache extends FileContract {
    PastThePageCache() {
      super(Cache.DIRECT, 512);
    }
  }

  /** The file's last three sectors do not fill a unit. */
  @Nested
  class PastThePageCacheInLargeUnits extends FileContract {
    PastThePageCacheInLargeUnits() {
      super(Cache.DIRECT, 4096);
    }
  }

  private Path file(byte[] content) throws IOException {
    return Files.write(directory.resolve("disk"), content);
  }

  private static void assertRefused(Errno errno, String sentence, ThrowingCallable call) {
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(call)
        .satisfies(e -> {
          assertThat(e.errno()).isEqualTo(errno);
          assertThat(e.sentence()).isEqualTo(sentence);
        });
  }

  @Test
  void knowsWhetherZeroesAreFastAndChangesNothingToFindOut() throws IOException {
    byte[] content = Bytes.pattern(4, 0, PIECE);
    Path path = file(content);
    try (FileBlockDevice disk = FileBlockDevice.open(path, WRITEBACK)) {
      boolean holes = disk.zeroesFast(false);
      assertThat(disk.zeroesFast(true)).isFalse();
      assertThat(path).hasBinaryContent(content);
      disk.writeZeroes(0, PIECE, false);
      boolean punched = disk.allocation(0, PIECE, 8).getFirst().hole();
      assertThat(holes).isEqualTo(punched); // a file system that punches says so
    }
    try (FileBlockDevice disk = FileBlockDevice.open(path, READ_ONLY)) {
      assertThat(disk.zeroesFast(false)).isFalse();
    }
  }

  @Test
  void refusesWhatIsNoDisk() throws IOException {
    Path missing = directory.resolve("missing");
    assertRefused(
        Errno.ENOENT,
        "cannot open " + missing + ": no such file or directory",
        () -> FileBlockDevice.open(missing, WRITEBACK));
    assertRefused(
        Errno.EISDIR,
        directory + " is a directory, not a file or block device",
        () -> FileBlockDevice.open(directory, WRITEBACK));
    assertRefused(
        Errno.EINVAL,
        "/dev/null is a character device, not a file or block device",
        () -> FileBlockDevice.open(Path.of("/dev/null"), WRITEBACK));
    Path socket = directory.resolve("socket");
    try (var listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listening.bind(UnixDomainSocketAddress.of(socket));
      assertRefused(
          Errno.EINVAL,
          socket + " is a socket, not a file or block device",
          () -> FileBlockDevice.open(socket, WRITEBACK));
    }
  }

  @Test
  void refusesANamedPipeWithoutWaitingForItsOtherEnd() throws IOException {
    Path pipe = directory.resolve("pipe");
    Commands.run("mkfifo", pipe.toString());
    assertRefused(
        Errno.EINVAL,
        pipe + " is a named pipe, not a file or block device",
        () -> FileBlockDevice.open(pipe, WRITEBACK));
  }

  @Test
  void refusesAFileSmallerThanASector() throws IOException {
    Path path = file(new byte[0]);
    assertRefused(
        Errno.EINVAL,
        path + " has 0 bytes; a disk has at least one sector of 512",
        () -> FileBlockDevice.open(path, WRITEBACK));
    Files.write(path, new byte[511]);
    assertRefused(
        Errno.EINVAL,
        path + " has 511 bytes; a disk has at least one sector of 512",
        () -> FileBlockDevice.open(path, WRITEBACK));
  }

  @Test
  void servesWholeSectorsOfAnOddFileAndWarns() throws IOException {
    for (Options options : List.of(WRITEBACK, DIRECT)) {
      Path path = file(Bytes.pattern(1, 0, 10_000));
      try (FileBlockDevice device = FileBlockDevice.open(path, options)) {
        assertThat(device.sizeBytes()).isEqualTo(19 * 512);
        assertThat(device.warnings())
            .containsExactly(
                path
                    + " has 10000 bytes, not a multiple of 512: its last 272 bytes are not part of"
                    + " the disk");
        Bytes.write(device, 0, Bytes.pattern(2, 0, 19 * 512));
        device.flush();
      }
      byte[] expected = Bytes.pattern(1, 0, 10_000);
      System.arraycopy(Bytes.pattern(2, 0, 19 * 512), 0, expected, 0, 19 * 512);
      assertThat(Files.readAllBytes(path)).isEqualTo(expected);
    }
  }

  @Test
  void warnsOfNothingWhenThereIsNothingOdd() throws IOException {
    try (FileBlockDevice device = FileBlockDevice.open(file(Bytes.filled('a', 3)), WRITEBACK)) {
      assertThat(device.warnings()).isEmpty();
    }
  }

  @Test
  void holdsTheFileExclusivelyUntilItCloses() throws IOException {
    Path path = file(Bytes.filled('a', 8));
    String locked = path + " is locked: attached already, or in use by another program";
    try (FileBlockDevice device = FileBlockDevice.open(path, READ_ONLY)) {
      assertThat(device.path()).isEqualTo(path);
      assertRefused(Errno.EBUSY, locked, () -> FileBlockDevice.open(path, WRITEBACK));
      assertRefused(Errno.EBUSY, locked, () -> FileBlockDevice.open(path, READ_ONLY));
    }
    FileBlockDevice.open(path, WRITEBACK).close();
  }

  @Test
  void releasesTheFileWhenItIsRefused() throws IOException {
    Path path = file(new byte[100]);
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> FileBlockDevice.open(path, WRITEBACK));
    Files.write(path, Bytes.filled('a', 1));
    FileBlockDevice.open(path, DIRECT).close();
  }

  @Test
  void hintsAtReadOnlyForAFileThatCannotBeWritten() throws IOException {
    // Not even root may write to this one.
    Path path = Path.of("/sys/kernel/uevent_seqnum");
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> FileBlockDevice.open(path, WRITEBACK))
        .satisfies(e -> {
          assertThat(e.errno()).isIn(Errno.EACCES, Errno.EROFS);
          assertThat(e.hint()).isEqualTo("attach it with --read-only");
        });
    FileBlockDevice.open(path, READ_ONLY).close();
  }

  @Test
  void servesTheFileThatALinkLeadsTo() throws IOException {
    Path target = file(Bytes.filled('a', 2));
    Path link = Files.createSymbolicLink(directory.resolve("link"), target);
    try (FileBlockDevice device = FileBlockDevice.open(link, WRITEBACK)) {
      Bytes.write(device, 0, Bytes.filled('b', 2));
      assertThat(device.status().inode()).isEqualTo(Files.getAttribute(target, "unix:ino"));
    }
    assertThat(Files.readAllBytes(target)).isEqualTo(Bytes.filled('b', 2));
    assertThat(link).isSymbolicLink();
  }

  @Test
  void failsAReadBeyondTheEndOfAFileThatWasShortened() throws IOException {
    for (Options options : List.of(WRITEBACK, DIRECT)) {
      Path path = file(Bytes.filled('a', 64));
      try (FileBlockDevice device = FileBlockDevice.open(path, options)) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
          channel.truncate(8192);
        }
        assertThat(Bytes.read(device, 0, 8192)).isEqualTo(Bytes.filled('a', 16));
        assertRefused(
            Errno.EIO,
            "read of 4096 bytes at 8192 found the end of "
                + path
                + ": it was made shorter while in use",
            () -> device.read(4096, ByteBuffer.allocateDirect(8192)));
      }
    }
  }

  @Test
  void tellsDataFromHoles() throws IOException {
    Path path = file(Bytes.filled('a', 1));
    try (FileBlockDevice device = FileBlockDevice.open(path, WRITEBACK)) {
      device.resize(5L * PIECE);
      device.discard(0, PIECE);
      Bytes.write(device, PIECE, Bytes.repeated('b', PIECE));
      Bytes.write(device, 4L * PIECE, Bytes.repeated('b', PIECE));
      assertThat(device.allocation(0, 5L * PIECE, 9))
          .containsExactly(
              new Extent(PIECE, true),
              new Extent(PIECE, false),
              new Extent(2 * PIECE, true),
              new Extent(PIECE, false));
      assertThat(device.allocation(PIECE + 5, 2L * PIECE, 9))
          .containsExactly(new Extent(PIECE - 5, false), new Extent(PIECE + 5, true));
      device.writeZeroes(4L * PIECE, PIECE, false);
      assertThat(device.allocation(3L * PIECE + 1, 2L * PIECE - 1, 9))
          .containsExactly(new Extent(2 * PIECE - 1, true));
    }
  }

  @Test
  void keepsSpaceOnlyWhereZeroesAreToHaveIt() throws IOException {
    Path path = file(Bytes.repeated('a', 16 * PIECE));
    try (FileBlockDevice device = FileBlockDevice.open(path, WRITEBACK)) {
      device.flush();
      long full = device.status().allocatedBytes();
      device.writeZeroes(0, 8 * PIECE, true);
      device.flush();
      assertThat(device.status().allocatedBytes()).isGreaterThanOrEqualTo(full);
      device.writeZeroes(0, 8 * PIECE, false);
      assertThat(device.status().allocatedBytes()).isLessThanOrEqualTo(full - 7 * PIECE);
      device.discard(8 * PIECE, 8 * PIECE);
      assertThat(device.status().allocatedBytes()).isLessThanOrEqualTo(full - 14 * PIECE);
    }
  }

  @Test
  void growsByZeroesAndShrinks() throws IOException {
    for (Options options : List.of(WRITEBACK, DIRECT)) {
      Path path = file(Bytes.filled('a', 3));
      try (FileBlockDevice device = FileBlockDevice.open(path, options, 4096)) {
        device.resize(100 * 512);
        assertThat(device.sizeBytes()).isEqualTo(100 * 512);
        assertThat(Bytes.read(device, 512, 99 * 512).length).isEqualTo(99 * 512);
        Bytes.write(device, 99 * 512, Bytes.filled('b', 1));
        device.resize(2 * 512);
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
            .isThrownBy(() -> Bytes.read(device, 2 * 512, 1));
      }
      assertThat(Files.readAllBytes(path)).isEqualTo(Bytes.filled('a', 2));
    }
  }

  @Test
  void refusesASizeThatNoDiskCanHave() throws IOException {
    Path path = file(Bytes.filled('a', 3));
    try (FileBlockDevice device = FileBlockDevice.open(path, WRITEBACK)) {
      for (long size : List.of(0L, -512L, 513L)) {
        assertRefused(
            Errno.EINVAL,
            "new size " + size + " of " + path + " is not a positive multiple of 512",
            () -> device.resize(size));
      }
      assertThat(device.sizeBytes()).isEqualTo(3 * 512);
    }
    try (FileBlockDevice device = FileBlockDevice.open(path, READ_ONLY)) {
      assertRefused(Errno.EPERM, path + " is open read-only", () -> device.resize(512));
    }
  }

  @Test
  void goesOnServingAfterAThreadWasInterrupted() throws IOException {
    for (Options options : List.of(WRITEBACK, DIRECT)) {
      try (FileBlockDevice device =
          FileBlockDevice.open(file(Bytes.filled('a', 16)), options, 4096)) {
        Thread.currentThread().interrupt();
        Bytes.write(device, 100, Bytes.filled('b', 1));
        assertThat(Bytes.read(device, 100, 512)).isEqualTo(Bytes.filled('b', 1));
        device.flush();
        assertThat(Thread.interrupted()).isTrue();
        assertThat(Bytes.read(device, 100, 512)).isEqualTo(Bytes.filled('b', 1));
      }
    }
  }
}
