package blksnap.cli.demo;

import blksnap.cli.demo.DemoDisk.Content;
import blksnap.cli.output.HumanSize;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** Makes the disks of one run in its directory, each with a copy that stays as it was made. */
final class DiskMaker {
  /** The part of a file system that is one file, for the writer to overwrite. */
  private static final int REWRITTEN_PART = 4;

  /** The part of it that is filled with files of the Java that runs this, at most. */
  private static final int FILES_PART = 8;

  /** Larger files than this part of what files may take are left out, so that there are many. */
  private static final int LARGEST_FILE_PART = 16;

  private static final String MKFS = "mkfs.ext4";

  private final Path directory;
  private final long run;
  private final Programs programs;

  DiskMaker(Path directory, long run, Programs programs) {
    this.directory = directory;
    this.run = run;
    this.programs = programs;
  }

  /** A disk with a file system if this machine can make one, else with patterned data. */
  DemoDisk fileSystem(long number, String name, long sizeBytes)
      throws IOException, InterruptedException {
    Optional<Path> mkfs = programs.find(MKFS);
    if (mkfs.isEmpty()) {
      return patterned(number, name, sizeBytes, MKFS + " is not installed");
    }
    Path folder = Files.createDirectory(directory.resolve(name + ".files"));
    int files = copyFiles(folder, sizeBytes / FILES_PART);
    long count = sizeBytes / REWRITTEN_PART / Stamp.BYTES;
    stamps(folder.resolve("rewritten"), number, LongStream.range(0, count));
    Path file = file(name);
    var words =
        List.of(
            mkfs.get().toString(),
            "-q",
            "-F",
            "-b",
            Integer.toString(Stamp.BYTES),
            "-d",
            name + ".files",
            name + ".img",
            sizeBytes / 1024 + "K");
    Programs.Ended ended = Programs.run(directory, words);
    Optional<BlockChoice> found = ended.code() == 0 ? find(file, number, count) : Optional.empty();
    if (found.isEmpty()) {
      Files.deleteIfExists(file);
      return patterned(number, name, sizeBytes, MKFS + " can make none");
    }
    String text =
        "%s, ext4, with %d files of this Java and one of %s that is overwritten all the time"
            .formatted(HumanSize.of(sizeBytes), files, HumanSize.of(count * Stamp.BYTES));
    return disk(number, name, new Content(text, words, true), found.get());
  }

  /** A disk on which no two blocks are alike. */
  DemoDisk patterned(long number, String name, long sizeBytes) throws IOException {
    return patterned(number, name, sizeBytes, "");
  }

  private DemoDisk patterned(long number, String name, long sizeBytes, String why)
      throws IOException {
    long count = sizeBytes / Stamp.BYTES;
    stamps(file(name), number, LongStream.range(0, count));
    String text =
        HumanSize.of(sizeBytes)
            + " of patterned data, overwritten all over"
            + (why.isEmpty() ? "" : " (no file system: " + why + ")");
    List<String> command =
        List.of("dd", "if=/dev/urandom", "of=" + name + ".img", "bs=4096", "count=" + count);
    return disk(number, name, new Content(text, command, false), BlockChoice.all(count));
  }

  /**
   * A disk that begins as the user's own.
   *
   * @param image a regular file of at least one block; it is only read
   */
  DemoDisk copyOf(long number, String name, Path image) throws IOException {
    SparseCopy.copy(image, file(name));
    long size = Files.size(file(name));
    String text =
        HumanSize.of(size)
            + ", a copy of "
            + image
            + " that is overwritten all over; the image itself is only read";
    List<String> command = List.of("cp", "--sparse=always", image.toString(), name + ".img");
    return disk(
        number, name, new Content(text, command, false), BlockChoice.all(size / Stamp.BYTES));
  }

  private DemoDisk disk(long number, String name, Content content, BlockChoice blocks)
      throws IOException {
    Path original = directory.resolve(name + ".original");
    SparseCopy.copy(file(name), original);
    // The engine serves whole sectors.
    long served = Files.size(original) / SectorRange.SECTOR_BYTES * SectorRange.SECTOR_BYTES;
    return new DemoDisk(run, number, name, file(name), original, served, content, blocks);
  }

  private Path file(String name) {
    return directory.resolve(name + ".img");
  }

  /** Copies files of the running Java, as many as fit into {@code budget} bytes. */
  private static int copyFiles(Path folder, long budget) throws IOException {
    Path java = Path.of(System.getProperty("java.home", "/"));
    List<Path> files;
    try (Stream<Path> found = Files.walk(java)) {
      files = found.filter(Files::isRegularFile).filter(Files::isReadable).sorted().toList();
    } catch (UncheckedIOException e) {
      throw e.getCause(); // a folder that cannot be read
    }
    int copied = 0;
    long left = budget;
    for (Path file : files) {
      // What a file takes is counted in whole blocks, and one more for its name.
      long taken = (Files.size(file) / Stamp.BYTES + 2) * Stamp.BYTES;
      if (taken <= left && taken <= budget / LARGEST_FILE_PART) {
        String name = java.relativize(file).toString().replace('/', '-');
        Files.copy(file, folder.resolve(name));
        left -= taken;
        copied++;
      }
    }
    return copied;
  }

  private void stamps(Path file, long number, LongStream blocks) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (long block : blocks.toArray()) {
        SparseCopy.write(channel, block * Stamp.BYTES, new Stamp(run, number, block, 0).bytes());
      }
    }
  }

  /** Where the stamped file's blocks came to lie; empty unless all of them are found. */
  private Optional<BlockChoice> find(Path file, long number, long count) throws IOException {
    var places = LongStream.builder();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteSource source = ByteSource.of(channel);
      ByteBuffer bytes = ByteBuffer.allocate(Stamp.BYTES);
      for (long block = 0; block < channel.size() / Stamp.BYTES; block++) {
        source.read(block * Stamp.BYTES, bytes.clear());
        Optional<Stamp> stamp = Stamp.read(bytes.flip());
        if (stamp.isPresent() && stamp.get().run() == run && stamp.get().disk() == number) {
          places.add(block);
        }
      }
    }
    BlockChoice choice = BlockChoice.of(places.build().toArray());
    return choice.count() == count ? Optional.of(choice) : Optional.empty();
  }
}
