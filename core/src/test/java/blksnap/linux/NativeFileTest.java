package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile.Flag;
import blksnap.testing.Bytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeFileTest {
  private static final Set<Flag> NEW = Set.of(Flag.READ_WRITE, Flag.CREATE_NEW);
  private static final int PIECE = 64 * 1024; // no file system has larger blocks

  @TempDir private Path directory;

  private NativeFile newFile() throws IOException {
    return NativeFile.open(directory.resolve("file"), NEW);
  }

  private static ByteBuffer direct(byte[] content) {
    return ByteBuffer.allocateDirect(content.length).put(content).flip();
  }

  private static void assertErrno(Errno errno, String sentence, ThrowingCallable call) {
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(call)
        .satisfies(e -> {
          assertThat(e.errno()).isEqualTo(errno);
          assertThat(e.sentence()).isEqualTo(sentence);
        });
  }

  @Test
  void makesANewFileForItsOwnerOnly() throws IOException {
    try (NativeFile file = newFile()) {
      assertThat(Files.getPosixFilePermissions(file.path()))
          .isEqualTo(PosixFilePermissions.fromString("rw-------"));
      assertErrno(
          Errno.EEXIST,
          "cannot open " + file + " as a new file: already exists",
          () -> NativeFile.open(file.path(), NEW));
      NativeFile.open(file.path(), Set.of(Flag.READ_WRITE, Flag.CREATE)).close();
    }
  }

  @Test
  void saysWhyAFileCannotBeOpened() throws IOException {
    Path missing = directory.resolve("missing");
    assertErrno(
        Errno.ENOENT,
        "cannot open " + missing + ": no such file or directory",
        () -> NativeFile.open(missing, Set.of(Flag.READ_ONLY)));
    assertErrno(
        Errno.EISDIR,
        "cannot open " + directory + " for writing: is a directory",
        () -> NativeFile.open(directory, Set.of(Flag.READ_WRITE)));
    Path link = Files.createSymbolicLink(directory.resolve("link"), missing);
    assertErrno(
        Errno.EINVAL,
        "cannot open " + link + ": a symbolic link",
        () -> NativeFile.open(link, Set.of(Flag.READ_ONLY, Flag.NOFOLLOW)));
  }

  @Test
  void refusesFlagsThatDoNotGoTogether() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NativeFile.open(directory, Set.of(Flag.NOFOLLOW)));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NativeFile.open(directory, Set.of(Flag.READ_ONLY, Flag.READ_WRITE)));
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> NativeFile.open(directory, Set.of(Flag.READ_WRITE, Flag.CREATE, Flag.EXCL)));
  }

  @Test
  void opensTheVerySameFileAgainThoughItsPathLeadsElsewhere() throws IOException {
    try (NativeFile file = newFile()) {
      file.write(0, direct(Bytes.filled('a', 1)));
      Files.move(file.path(), directory.resolve("moved"));
      Files.write(file.path(), Bytes.filled('b', 1));
      ByteBuffer target = ByteBuffer.allocateDirect(512);
      try (NativeFile again = file.reopen(Set.of(Flag.READ_ONLY))) {
        assertThat(again.read(0, target)).isEqualTo(512);
        assertThat(again.stat().sameAs(file.stat())).isTrue();
      }
      assertThat(target.flip()).isEqualTo(ByteBuffer.wrap(Bytes.filled('a', 1)));
      try (FileChannel channel = ((KernelFile) file).openChannel(StandardOpenOption.READ)) {
        assertThat(channel.read(target.clear())).isEqualTo(512);
        assertThat(target.get(0)).isEqualTo((byte) 'a');
      }
    }
  }

  @Test
  void readsAndWritesWhereItIsToldAndMovesTheBuffer() throws IOException {
    try (NativeFile file = newFile()) {
      ByteBuffer source = direct(Bytes.filled('a', 2)).position(100);
      assertThat(file.write(1000, source)).isEqualTo(924);
      assertThat(source.hasRemaining()).isFalse();
      assertThat(file.size()).isEqualTo(1924);
      ByteBuffer target = ByteBuffer.allocateDirect(2000);
      assertThat(file.read(1900, target)).isEqualTo(24);
      assertThat(target.position()).isEqualTo(24);
      assertThat(file.read(1924, target)).isZero();
    }
  }

  @Test
  void refusesBuffersThatTheKernelCannotUse() throws IOException {
    try (NativeFile file = newFile()) {
      assertThatIllegalArgumentException().isThrownBy(() -> file.read(0, ByteBuffer.allocate(8)));
      assertThatIllegalArgumentException().isThrownBy(() -> file.write(0, ByteBuffer.allocate(8)));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> file.read(0, ByteBuffer.allocateDirect(8).asReadOnlyBuffer()));
    }
  }

  @Test
  void namesRangeAndPathWhenReadingOrWritingFails() throws IOException {
    Path path = Files.write(directory.resolve("file"), Bytes.filled('a', 1));
    try (NativeFile file = NativeFile.open(path, Set.of(Flag.READ_ONLY))) {
      assertErrno(
          Errno.EINVAL,
          "write of 512 bytes at 0 to " + path + " failed: not open for that",
          () -> file.write(0, direct(Bytes.filled('b', 1))));
    }
    try (NativeFile folder = NativeFile.open(directory, Set.of(Flag.READ_ONLY))) {
      assertErrno(
          Errno.EISDIR,
          "read of 8 bytes at 3 from " + directory + " failed: is a directory",
          () -> folder.read(3, ByteBuffer.allocateDirect(8)));
    }
  }

  @Test
  void locksOutEveryOtherOpenerUntilItCloses() throws IOException {
    try (NativeFile other = newFile()) {
      try (NativeFile file = other.reopen(Set.of(Flag.READ_ONLY))) {
        assertThat(file.tryLockExclusive()).isTrue();
        assertThat(file.tryLockExclusive()).isTrue();
        assertThat(other.tryLockExclusive()).isFalse();
      }
      assertThat(other.tryLockExclusive()).isTrue();
    }
    try (NativeFile looked = NativeFile.open(directory, Set.of(Flag.IDENTIFY))) {
      assertErrno(
          Errno.EINVAL,
          "cannot lock " + directory + ": not open for that",
          looked::tryLockExclusive);
    }
  }

  @Test
  void knowsWhatAFileIs() throws IOException {
    try (NativeFile file = newFile()) {
      file.write(0, direct(Bytes.filled('a', 3)));
      FileStatus status = file.stat();
      assertThat(status.isRegularFile()).isTrue();
      assertThat(status.isDirectory()).isFalse();
      assertThat(status.isBlockDevice()).isFalse();
      assertThat(status.kind()).isEqualTo("a regular file");
      assertThat(status.sizeBytes()).isEqualTo(1536);
      assertThat(status.inode()).isEqualTo(Files.getAttribute(file.path(), "unix:ino"));
      assertThat(status.device()).isEqualTo(Files.getAttribute(file.path(), "unix:dev"));
      assertThat(status.mode()).isEqualTo(Files.getAttribute(file.path(), "unix:mode"));
      assertThat(status.rdevice()).isZero();
      long modified = Files.getLastModifiedTime(file.path()).to(TimeUnit.NANOSECONDS);
      assertThat(status.modifiedNanos()).isEqualTo(modified);
      assertThat(status.changedNanos()).isGreaterThanOrEqualTo(modified);
    }
    try (NativeFile folder = NativeFile.open(directory, Set.of(Flag.READ_ONLY))) {
      assertThat(folder.stat().isDirectory()).isTrue();
      folder.sync();
    }
    try (NativeFile device = NativeFile.open(Path.of("/dev/null"), Set.of(Flag.IDENTIFY))) {
      assertThat(device.stat().kind()).isEqualTo("a character device");
      assertThat(device.stat().rdevice()).isEqualTo(0x103);
    }
  }

  @Test
  void findsDataAndHoles() throws IOException {
    try (NativeFile file = newFile()) {
      file.truncate(4L * PIECE);
      file.write(PIECE, direct(Bytes.repeated('a', PIECE)));
      assertThat(file.nextData(0)).hasValue(PIECE);
      assertThat(file.nextData(PIECE + 1)).hasValue(PIECE + 1L);
      assertThat(file.nextData(2L * PIECE)).isEmpty();
      assertThat(file.nextHole(0)).hasValue(0);
      assertThat(file.nextHole(PIECE)).hasValue(2L * PIECE);
      assertThat(file.nextHole(4L * PIECE)).isEmpty();
      assertThat(file.nextData(5L * PIECE)).isEmpty();
    }
    try (NativeFile looked = NativeFile.open(directory, Set.of(Flag.IDENTIFY))) {
      assertErrno(
          Errno.EINVAL,
          "cannot look for a hole from 7 on in " + directory + ": not open for that",
          () -> looked.nextHole(7));
    }
  }

  @Test
  void givesSpaceBackZeroesItAndAllocatesIt() throws IOException {
    try (NativeFile file = newFile()) {
      file.write(0, direct(Bytes.repeated('a', 4 * PIECE)));
      file.sync();
      long full = file.stat().allocatedBytes();
      file.punchHole(PIECE, PIECE);
      assertThat(file.stat().allocatedBytes()).isLessThanOrEqualTo(full - PIECE);
      file.zeroRange(2L * PIECE, PIECE);
      file.startWriting(0, 4L * PIECE);
      file.dataSync();
      ByteBuffer target = ByteBuffer.allocateDirect(4 * PIECE);
      file.read(0, target);
      byte[] content = new byte[4 * PIECE];
      target.flip().get(content);
      byte[] expected = Bytes.repeated('a', 4 * PIECE);
      System.arraycopy(Bytes.zeroes(2 * PIECE), 0, expected, PIECE, 2 * PIECE);
      assertThat(content).isEqualTo(expected);
      file.allocate(0, 8L * PIECE);
      assertThat(file.size()).isEqualTo(8L * PIECE);
      assertThat(file.stat().allocatedBytes()).isGreaterThanOrEqualTo(8L * PIECE);
      file.truncate(100);
      assertThat(file.size()).isEqualTo(100);
    }
  }

  @Test
  void namesTheRangeThatCannotBeHadAndWhy() throws IOException {
    try (NativeFile file = newFile()) {
      assertErrno(
          Errno.EINVAL,
          "cannot punch a hole of 0 bytes at 0 in " + file + ": invalid argument",
          () -> file.punchHole(0, 0));
      assertErrno(
          Errno.EINVAL,
          "cannot zero -1 bytes at 5 in " + file + ": invalid argument",
          () -> file.zeroRange(5, -1));
      assertErrno(
          Errno.EINVAL,
          "cannot set the length of " + file + " to -1 bytes: invalid argument",
          () -> file.truncate(-1));
      long free = file.freeBytes();
      assertThat(free).isPositive();
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> file.allocate(0, free * 2 + (1L << 40)))
          .satisfies(e -> assertThat(e.errno()).isIn(Errno.ENOSPC, Errno.EFBIG));
    }
  }

  @Test
  void tellsWhenTheDiskIsFull() throws IOException {
    try (NativeFile full = NativeFile.open(Path.of("/dev/full"), Set.of(Flag.READ_WRITE))) {
      assertErrno(
          Errno.ENOSPC,
          "write of 1 bytes at 0 to /dev/full failed: no space left",
          () -> full.write(0, ByteBuffer.allocateDirect(1)));
      assertErrno(Errno.EINVAL, "sync of /dev/full failed: invalid argument", full::dataSync);
      assertErrno(Errno.EINVAL, "sync of /dev/full failed: invalid argument", full::sync);
    }
  }

  @Test
  void refusesQuestionsForABlockDeviceToAFile() throws IOException {
    try (NativeFile file = newFile()) {
      assertErrno(
          Errno.ENOTSUP,
          "cannot ask " + file + " for its size: not a block device",
          file::blockDeviceBytes);
      assertErrno(
          Errno.ENOTSUP,
          "cannot ask " + file + " for its logical block size: not a block device",
          file::logicalBlockBytes);
      assertErrno(
          Errno.ENOTSUP,
          "cannot ask " + file + " for its physical block size: not a block device",
          file::physicalBlockBytes);
      assertErrno(
          Errno.ENOTSUP,
          "cannot ask " + file + " for its read-only flag: not a block device",
          file::blockDeviceReadOnly);
      assertErrno(
          Errno.ENOTSUP,
          "cannot discard 512 bytes at 1024 in " + file + ": not a block device",
          () -> file.blockDiscard(1024, 512));
      assertErrno(
          Errno.ENOTSUP,
          "cannot zero 512 bytes at 1024 in " + file + ": not a block device",
          () -> file.blockZeroOut(1024, 512));
    }
  }

  @Test
  void goesPastThePageCacheWhereAligned() throws IOException {
    Path path = directory.resolve("file");
    Files.write(path, Bytes.repeated('a', 8192));
    try (NativeFile file = NativeFile.open(path, Set.of(Flag.READ_WRITE, Flag.DIRECT))) {
      ByteBuffer page = ByteBuffer.allocateDirect(8192).alignedSlice(4096).limit(4096);
      assertThat(file.read(4096, page)).isEqualTo(4096);
      assertThat(page.get(0)).isEqualTo((byte) 'a');
    }
  }

  @Test
  void finishesItsCallInAnInterruptedThreadAndStaysOpen() throws IOException {
    try (NativeFile file = newFile()) {
      Thread.currentThread().interrupt();
      assertThat(file.write(0, direct(Bytes.filled('a', 1)))).isEqualTo(512);
      assertThat(Thread.interrupted()).isTrue();
      assertThat(file.read(0, ByteBuffer.allocateDirect(512))).isEqualTo(512);
    }
  }

  @Test
  void refusesEverythingAfterClose() throws IOException {
    NativeFile file = newFile();
    file.close();
    String sentence = file + " is closed already";
    List<ThrowingCallable> calls =
        List.of(
            () -> file.read(0, ByteBuffer.allocateDirect(1)),
            () -> file.write(0, ByteBuffer.allocateDirect(1)),
            file::stat,
            file::size,
            file::freeBytes,
            file::sync,
            file::dataSync,
            () -> file.startWriting(0, 1),
            file::tryLockExclusive,
            file::blockDeviceBytes,
            () -> file.nextData(0),
            () -> file.nextHole(0),
            () -> file.punchHole(0, 1),
            () -> file.truncate(0),
            () -> file.reopen(Set.of(Flag.READ_ONLY)),
            () -> ((KernelFile) file).openChannel(StandardOpenOption.READ));
    for (ThrowingCallable call : calls) {
      assertErrno(Errno.ESHUTDOWN, sentence, call);
    }
    assertThatCode(file::close).doesNotThrowAnyException();
  }

  @Test
  void neverReadsFromAnotherFileThatGotItsNumber() throws Exception {
    int readers = 3;
    Path mine = Files.write(directory.resolve("mine"), Bytes.filled('a', 1));
    Path other = Files.write(directory.resolve("other"), Bytes.filled('b', 1));
    for (int round = 0; round < 50; round++) {
      NativeFile file = NativeFile.open(mine, Set.of(Flag.READ_ONLY));
      var reading = new CountDownLatch(readers);
      try (var threads = Executors.newFixedThreadPool(readers)) {
        var running = new ArrayList<Future<?>>();
        for (int i = 0; i < readers; i++) {
          running.add(threads.submit(() -> readUntilClosed(file, reading)));
        }
        reading.await();
        file.close();
        NativeFile.open(other, Set.of(Flag.READ_ONLY)).close();
        for (Future<?> future : running) {
          future.get();
        }
      }
    }
  }

  private static Errno readUntilClosed(NativeFile file, CountDownLatch reading) throws IOException {
    ByteBuffer target = ByteBuffer.allocateDirect(512);
    try {
      while (true) {
        file.read(0, target.clear());
        assertThat(target.get(0)).isEqualTo((byte) 'a');
        reading.countDown();
      }
    } catch (BlkSnapException e) {
      assertThat(e.errno()).isEqualTo(Errno.ESHUTDOWN);
      return e.errno();
    }
  }
}
