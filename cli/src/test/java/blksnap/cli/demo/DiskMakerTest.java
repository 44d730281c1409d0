package blksnap.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import blksnap.cli.command.Environment;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The disks as they are before anything is written to them. */
final class DiskMakerTest {
  private static final long SIZE = 8 << 20;

  @TempDir private Path directory;

  @Test
  void makesPatternedDataWhereNoFileSystemCanBeMade() throws Exception {
    DemoDisk disk = maker(List.of()).fileSystem(1, "disk1", SIZE);
    assertThat(disk.content().words())
        .isEqualTo(
            "8M of patterned data, overwritten all over (no file system: mkfs.ext4 is not"
                + " installed)");
    assertThat(disk.content().fileSystem()).isFalse();
    assertThat(disk.file()).hasSize(SIZE).hasSameBinaryContentAs(disk.original());
    assertThat(stamp(disk, 5)).contains(new Stamp(9, 1, 5, 0));
  }

  @Test
  void makesPatternedDataWhereTheProgramFails() throws Exception {
    Path program = Files.writeString(directory.resolve("mkfs.ext4"), "#!/bin/sh\nexit 1\n");
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
    DemoDisk disk = maker(List.of(directory)).fileSystem(1, "disk1", SIZE);
    assertThat(disk.content().words()).endsWith("(no file system: mkfs.ext4 can make none)");
    assertThat(disk.file()).hasSize(SIZE);
  }

  @Test
  void letsTheWriterHaveTheBlocksOfOneFileOfTheFileSystemOnly() throws Exception {
    Programs programs = Programs.of(Environment.ofProcess());
    assumeTrue(programs.find("mkfs.ext4").isPresent(), "needs mkfs.ext4");
    DemoDisk disk = new DiskMaker(directory, 9, programs).fileSystem(1, "disk1", SIZE);
    assertThat(disk.content().fileSystem()).isTrue();
    assertThat(disk.blocks().count()).isEqualTo(SIZE / 4 / Stamp.BYTES);
    var random = new Random(1);
    for (int i = 0; i < 1000; i++) {
      assertThat(stamp(disk, disk.blocks().next(random))).isPresent();
    }
  }

  @Test
  void copiesAnImageWithItsHolesAndServesItsWholeSectors() throws IOException {
    Path image = directory.resolve("image");
    try (var file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength((64 << 20) + 700);
      file.seek(1 << 20);
      file.write(new byte[] {1, 2, 3});
    }
    DemoDisk disk = maker(List.of()).copyOf(1, "disk1", image);
    assertThat(disk.file()).hasSameBinaryContentAs(image);
    assertThat(disk.original()).hasSameBinaryContentAs(image);
    assertThat(disk.sizeBytes()).isEqualTo((64 << 20) + 512);
  }

  @Test
  void refusesToReplaceAFile() throws IOException {
    Path there = Files.writeString(directory.resolve("disk1.img"), "mine");
    assertThatThrownBy(() -> maker(List.of()).patterned(1, "disk1", SIZE))
        .isInstanceOf(IOException.class);
    assertThat(there).hasContent("mine");
  }

  private DiskMaker maker(List<Path> folders) {
    return new DiskMaker(directory, 9, new Programs(folders));
  }

  private static Optional<Stamp> stamp(DemoDisk disk, long block) throws IOException {
    try (FileChannel file = FileChannel.open(disk.file())) {
      ByteBuffer bytes = ByteBuffer.allocate(Stamp.BYTES);
      ByteSource.of(file).read(block * Stamp.BYTES, bytes);
      return Stamp.read(bytes.flip());
    }
  }
}
