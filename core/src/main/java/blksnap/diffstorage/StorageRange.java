package blksnap.diffstorage;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.sector.ByteRange;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * One run of bytes of a file or block device that holds old data. Its first block is the {@link
 * StorageHeader}. A range of a file that was made for it can grow. Reads and writes are safe from
 * many threads; growing is the {@link DiffStorage}'s, under its lock.
 */
final class StorageRange implements Closeable {
  private final NativeFile file;

  /** False for a second part of a file: the first part's range closes it. */
  private final boolean ownsFile;

  private final FileStatus identity;
  private final RangeDescription description;
  private volatile long bytes;

  /** Where the file was cut off by others; used by who looks. */
  private volatile long knownEnd = Long.MAX_VALUE;

  private StorageRange(NativeFile file, boolean ownsFile, RangeDescription description, long bytes)
      throws IOException {
    this.file = file;
    this.ownsFile = ownsFile;
    this.identity = file.stat();
    this.description = description;
    this.bytes = bytes;
  }

  /** What {@link #growable} makes of a path where nothing is. */
  static RangeDescription freshDescription(Path path, OptionalLong limitBytes) {
    return new RangeDescription(path, 0, limitBytes, true, true);
  }

  /** Makes a new file that grows, or takes an empty one. */
  static StorageRange growable(Path path, OptionalLong limitBytes, boolean existed)
      throws IOException {
    Set<NativeFile.Flag> flags = EnumSet.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.NOFOLLOW);
    if (!existed) {
      flags.add(NativeFile.Flag.CREATE_NEW);
    }
    NativeFile file = NativeFile.open(path, flags);
    try {
      lock(file);
      return new StorageRange(
          file, true, new RangeDescription(path, 0, limitBytes, true, !existed), 0);
    } catch (IOException | RuntimeException e) {
      file.close();
      if (!existed) {
        Files.deleteIfExists(path);
      }
      throw e;
    }
  }

  /**
   * Takes a part of a file or block device that is there.
   *
   * @param range the part, in multiples of 4 KiB; empty: all of it, which then must hold no data if
   *     it is a file
   */
  static StorageRange fixed(Path path, Optional<ByteRange> range, OptionalLong limitBytes)
      throws IOException {
    boolean blockDevice =
        Files.exists(path) && !Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS);
    Set<NativeFile.Flag> flags = EnumSet.of(NativeFile.Flag.READ_WRITE);
    if (blockDevice) {
      flags.add(NativeFile.Flag.EXCL);
    }
    NativeFile file = NativeFile.open(path, flags);
    try {
      lock(file);
      FileStatus status = file.stat();
      long size = status.isBlockDevice() ? file.blockDeviceBytes() : status.sizeBytes();
      if (range.isEmpty() && status.isRegularFile() && file.nextData(0).isPresent()) {
        throw holdsData(file);
      }
      ByteRange part = range.orElse(new ByteRange(0, Math.max(4096, size & -4096L)));
      return part(file, true, part, size, limitBytes);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static BlkSnapException holdsData(NativeFile file) throws IOException {
    ByteBuffer block = ByteBuffer.allocateDirect(Location.BLOCK_BYTES);
    if (file.read(0, block) == Location.BLOCK_BYTES && StorageHeader.isOne(block.flip())) {
      StorageHeader header = StorageHeader.decode(file.path().toString(), block);
      return new BlkSnapException(
              Errno.EEXIST, file.path() + " is diff storage of snapshot " + header.snapshot())
          .withHint("if no engine needs that snapshot any more, remove the file");
    }
    return new BlkSnapException(
            Errno.EEXIST, file.path() + " holds data and would be overwritten as diff storage")
        .withHint("name a file that does not exist, or give its parts with --range");
  }

  private static StorageRange part(
      NativeFile file, boolean ownsFile, ByteRange part, long size, OptionalLong limitBytes)
      throws IOException {
    Path path = file.path();
    check(path, part, size);
    long usable = Math.min(part.length(), limitBytes.orElse(Long.MAX_VALUE));
    var description =
        new RangeDescription(path, part.offset(), OptionalLong.of(usable), false, false);
    return new StorageRange(file, ownsFile, description, usable & -Location.BLOCK_BYTES);
  }

  /** Another part of the same file, under the same claim on it. */
  StorageRange sibling(ByteRange part) throws IOException {
    FileStatus status = file.stat();
    long size = status.isBlockDevice() ? file.blockDeviceBytes() : status.sizeBytes();
    return part(file, false, part, size, OptionalLong.empty());
  }

  /**
   * Opens a range again, as it was described before this process started.
   *
   * @param siblings the ranges of the same storage that are open already
   */
  static StorageRange reopen(RangeDescription description, List<StorageRange> siblings)
      throws IOException {
    Path path = description.path();
    for (StorageRange sibling : siblings) {
      if (sibling.description.path().equals(description.path())) {
        return sibling.sibling(
            new ByteRange(description.offset(), description.limitBytes().orElseThrow()));
      }
    }
    boolean blockDevice = !Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS);
    NativeFile file =
        NativeFile.open(
            path,
            blockDevice
                ? Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.EXCL)
                : Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.NOFOLLOW));
    try {
      lock(file);
      long bytes = description.growable() ? file.size() : description.limitBytes().orElseThrow();
      return new StorageRange(file, true, description, bytes & -4096L);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static void lock(NativeFile file) throws IOException {
    if (!file.tryLockExclusive()) {
      throw new BlkSnapException(
          Errno.EBUSY, file.path() + " is in use and cannot be diff storage");
    }
  }

  private static void check(Path path, ByteRange part, long size) throws IOException {
    if (part.offset() % Location.BLOCK_BYTES != 0 || part.length() % Location.BLOCK_BYTES != 0) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "range of " + path + ": bytes " + part + " are not multiples of 4096 (8 sectors)");
    }
    if (part.end() > size) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "range of " + path + ": bytes " + part + " end beyond its " + size + " bytes");
    }
    if (part.length() < 2L * Location.BLOCK_BYTES) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "range of " + path + ": " + part.length() + " bytes are fewer than the 8192 needed");
    }
  }

  RangeDescription description() {
    return description;
  }

  FileStatus identity() {
    return identity;
  }

  /** Whether both use a common byte of one file or device. */
  boolean overlaps(StorageRange other) {
    if (!identity.sameAs(other.identity)) {
      return false;
    }
    return span().intersects(other.span());
  }

  private ByteRange span() {
    return description.growable()
        ? new ByteRange(0, Long.MAX_VALUE)
        : new ByteRange(description.offset(), Math.max(1, bytes));
  }

  long bytes() {
    return bytes;
  }

  /** Most bytes it may ever have. */
  long maximumBytes() {
    return description.growable()
        ? description.limitBytes().orElse(Location.MAX_BLOCKS << Location.BLOCK_SHIFT)
        : bytes;
  }

  /** Bytes that the file system below has left; no limit for a range that does not grow. */
  long fileSystemFreeBytes() throws IOException {
    return description.growable() ? file.freeBytes() : Long.MAX_VALUE;
  }

  void growTo(long newBytes) throws IOException {
    file.truncate(newBytes); // sparse: a block takes space when it is written
    bytes = newBytes;
  }

  void read(long block, ByteBuffer target) throws IOException {
    long at = description.offset() + (block << Location.BLOCK_SHIFT);
    while (target.hasRemaining()) {
      int done = file.read(at, target);
      if (done <= 0) {
        throw new BlkSnapException(
            Errno.EIO, "diff storage " + file.path() + " ends before byte " + at);
      }
      at += done;
    }
  }

  void write(long block, ByteBuffer source) throws IOException {
    long at = description.offset() + (block << Location.BLOCK_SHIFT);
    while (source.hasRemaining()) {
      at += file.write(at, source);
    }
  }

  /**
   * Looks where the file ends.
   *
   * @return the end, if it came nearer than it has to be and than it was at the last look
   */
  OptionalLong lookForEnd() {
    if (!identity.isRegularFile()) {
      return OptionalLong.empty();
    }
    long needed = description.offset() + bytes; // read before the size, which only we make larger
    long size;
    try {
      size = file.stat().sizeBytes();
    } catch (BlkSnapException e) {
      return OptionalLong.empty(); // closed meanwhile
    }
    if (size >= Math.min(needed, knownEnd)) {
      return OptionalLong.empty();
    }
    knownEnd = size;
    return OptionalLong.of(size);
  }

  /** Whole blocks of the range before the byte of the file at {@code end}. */
  long blocksWithin(long end) {
    return Math.max(0, end - description.offset()) >>> Location.BLOCK_SHIFT;
  }

  /** What others did to the file, a clause; empty when its path still leads to all of it. */
  Optional<String> trouble() {
    if (knownEnd != Long.MAX_VALUE) {
      return Optional.of(description.path() + " was cut to " + knownEnd + " bytes");
    }
    if (!identity.isRegularFile()) {
      return Optional.empty();
    }
    try (NativeFile there = NativeFile.open(file.path(), Set.of(NativeFile.Flag.IDENTIFY))) {
      if (there.stat().sameAs(identity)) {
        return Optional.empty();
      }
      return Optional.of(description.path() + " was replaced by another file");
    } catch (BlkSnapException e) {
      return e.errno() == Errno.ENOENT
          ? Optional.of(description.path() + " was removed; a restart will miss it")
          : Optional.empty();
    }
  }

  /** Gives the space of blocks that nobody needs back to the file system, where it can. */
  void punch(long block, long count) throws IOException {
    if (identity.isRegularFile()) {
      file.punchHole(
          description.offset() + (block << Location.BLOCK_SHIFT), count << Location.BLOCK_SHIFT);
    }
  }

  void sync() throws IOException {
    file.dataSync();
  }

  /**
   * Removes the file of a range that could not be opened, if it was made for this and holds nothing
   * else than its header.
   */
  static void removeUnopened(RangeDescription description, StorageHeader expected)
      throws IOException {
    Path path = description.path();
    if (!description.made()) {
      return;
    }
    if (Directories.exists(path)) {
      if (!isOurs(path, expected)) {
        throw new BlkSnapException(Errno.EBADMSG, path + " is not what was made for it, and stays");
      }
      Files.deleteIfExists(path);
    }
    Path parent = path.getParent();
    if (parent != null && Directories.isDirectory(parent)) {
      Directories.sync(parent); // who removed it may have been killed before this
    }
  }

  private static boolean isOurs(Path path, StorageHeader expected) throws IOException {
    try (NativeFile file =
        NativeFile.open(path, Set.of(NativeFile.Flag.READ_ONLY, NativeFile.Flag.NOFOLLOW))) {
      ByteBuffer block = ByteBuffer.allocateDirect(Location.BLOCK_BYTES);
      file.read(0, block);
      int same = block.flip().mismatch(expected.encode());
      if (same < 0) {
        return true;
      }
      // Who wrote the header may have been killed before all of it was there.
      boolean begun = file.stat().isRegularFile() && file.nextData(Location.BLOCK_BYTES).isEmpty();
      block.position(same);
      while (begun && block.hasRemaining()) {
        begun = block.get() == 0;
      }
      return begun;
    }
  }

  /** Closes it, and removes the file, durably, if it was made for this. */
  void remove() throws IOException {
    try {
      if (description.made()) {
        Files.deleteIfExists(description.path());
        Directories.syncEntry(description.path());
      }
    } finally {
      close();
    }
  }

  @Override
  public void close() throws IOException {
    if (ownsFile) {
      file.close();
    }
  }
}
