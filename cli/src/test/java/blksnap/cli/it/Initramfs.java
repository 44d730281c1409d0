package blksnap.cli.it;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/**
 * The first file system of a kernel: a cpio archive of the form that cpio calls {@code newc}. Each
 * entry is 110 bytes, the magic "070701" and thirteen numbers of eight hexadecimal digits; then the
 * name with a zero byte, and the content, both filled up to a multiple of four bytes.
 */
final class Initramfs {
  private static final int DIRECTORY = 0040755;
  private static final int PROGRAM = 0100755;
  private static final int ALIGNMENT = 4;
  private static final String TRAILER = "TRAILER!!!";

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final Set<String> names = new HashSet<>();
  private int inode;

  /** Adds the directories that lead there, too; what has been added already is left as it is. */
  void add(String path, Path file) throws IOException {
    add(path, Files.readAllBytes(file));
  }

  void add(String path, String content) {
    add(path, content.getBytes(StandardCharsets.UTF_8));
  }

  void addDirectory(String path) {
    addParents(path);
    entry(path, DIRECTORY, new byte[0]);
  }

  private void add(String path, byte[] content) {
    addParents(path);
    entry(path, PROGRAM, content);
  }

  private void addParents(String path) {
    int end = path.lastIndexOf('/');
    if (end > 0) {
      addDirectory(path.substring(0, end));
    }
  }

  private void entry(String path, int mode, byte[] content) {
    String name = path.startsWith("/") ? path.substring(1) : path;
    if (!names.add(name)) {
      return;
    }
    byte[] text = (name + "\0").getBytes(StandardCharsets.UTF_8);
    int links = 1;
    int[] numbers = {
      ++inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, text.length, 0,
    };
    var header = new StringBuilder("070701");
    for (int number : numbers) {
      header.append(String.format("%08x", number));
    }
    bytes.writeBytes(header.toString().getBytes(StandardCharsets.US_ASCII));
    bytes.writeBytes(text);
    align();
    bytes.writeBytes(content);
    align();
  }

  private void align() {
    while (bytes.size() % ALIGNMENT != 0) {
      bytes.write(0);
    }
  }

  /** Ends it. */
  void writeTo(Path file) throws IOException {
    entry(TRAILER, 0, new byte[0]);
    Files.write(file, bytes.toByteArray());
  }
}
