package blksnap.state;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * A small record on disk that is replaced whole: written beside, made durable, renamed over the old
 * one. Little-endian.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "BSTR"
 *      4      4  version 1
 *      8      4  length of the text in bytes, at most 4 MiB
 *     12      4  CRC-32C of the text
 *     16      n  the record: a JSON object in UTF-8; its fields stand in {@code core/docs/formats.md}
 * </pre>
 */
public final class StateFile {
  /** Ends the name of what is about to replace a record; a kill may leave one, which is rubbish. */
  public static final String UNFINISHED = ".new";

  private static final int MAGIC = 'B' | 'S' << 8 | 'T' << 16 | 'R' << 24;
  private static final int VERSION = 1;
  private static final int HEADER_BYTES = 16;
  private static final int MAX_TEXT_BYTES = 4 << 20;

  private StateFile() {}

  /** Whether a file is what a write that did not come to its end has left beside a record. */
  public static boolean isUnfinished(Path file) {
    return String.valueOf(file.getFileName()).endsWith(UNFINISHED);
  }

  /**
   * Replaces the record at {@code path}, durably. After a crash the file holds the old record or
   * the new one.
   */
  public static void write(Path path, Fields record) throws IOException {
    byte[] text = record.json().toString().getBytes(StandardCharsets.UTF_8);
    if (text.length > MAX_TEXT_BYTES) {
      throw new BlkSnapException(Errno.EFBIG, "record " + path + " has " + text.length + " bytes");
    }
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(HEADER_BYTES + text.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putInt(MAGIC).putInt(VERSION).putInt(text.length).putInt(crc(text)).put(text).flip();
    Path beside = path.resolveSibling(path.getFileName() + UNFINISHED);
    try {
      Files.deleteIfExists(beside);
      writeNew(beside, bytes);
      Files.move(beside, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      Directories.syncEntry(path);
    } catch (IOException e) {
      throw new BlkSnapException(
          errno(e), "cannot write the record " + path + ": " + e.getMessage(), e);
    }
  }

  /** Removes the record at {@code path}, durably, and what a write that was cut off has left. */
  public static void remove(Path path) throws IOException {
    boolean was = Files.deleteIfExists(path);
    was |= Files.deleteIfExists(path.resolveSibling(path.getFileName() + UNFINISHED));
    if (was) {
      Directories.syncEntry(path);
    }
  }

  private static void writeNew(Path beside, ByteBuffer bytes) throws IOException {
    try (NativeFile file =
        NativeFile.open(beside, Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE_NEW))) {
      while (bytes.hasRemaining()) {
        file.write(bytes.position(), bytes);
      }
      file.sync();
    }
  }

  private static Errno errno(IOException e) {
    if (e instanceof BlkSnapException refused) {
      return refused.errno();
    }
    return String.valueOf(e.getMessage()).contains("No space left") ? Errno.ENOSPC : Errno.EIO;
  }

  /**
   * Reads the record at {@code path}.
   *
   * @throws BlkSnapException {@code ENOENT} when there is none; {@code EBADMSG}, with a sentence
   *     for each, when it is no regular file, is short or too long, is no record, is of another
   *     version, has a bad checksum, or is no JSON
   */
  public static Fields read(Path path) throws IOException {
    ByteBuffer bytes = readAll(path).order(ByteOrder.LITTLE_ENDIAN);
    int all = bytes.remaining();
    if (all < HEADER_BYTES) {
      throw bad(path, "is only " + all + " bytes long");
    }
    if (bytes.getInt(0) != MAGIC) {
      throw bad(path, "is not a record");
    }
    if (bytes.getInt(4) != VERSION) {
      throw bad(path, "is a record of version " + bytes.getInt(4) + ", not " + VERSION);
    }
    int length = bytes.getInt(8);
    if (length != all - HEADER_BYTES) {
      throw bad(path, "is " + all + " bytes, not the " + length + " it says after its header");
    }
    byte[] text = new byte[length];
    bytes.get(HEADER_BYTES, text);
    if (bytes.getInt(12) != crc(text)) {
      throw bad(path, "has a bad checksum");
    }
    try {
      return new Fields(
          JsonParser.parseString(new String(text, StandardCharsets.UTF_8)).getAsJsonObject());
    } catch (JsonParseException | IllegalStateException e) {
      throw new BlkSnapException(Errno.EBADMSG, path + " does not hold a JSON object", e);
    }
  }

  private static ByteBuffer readAll(Path path) throws IOException {
    try (NativeFile file =
        NativeFile.open(path, Set.of(NativeFile.Flag.READ_ONLY, NativeFile.Flag.NOFOLLOW))) {
      FileStatus status = file.stat();
      if (!status.isRegularFile()) {
        throw bad(path, "is " + status.kind() + ", not a file");
      }
      long size = status.sizeBytes();
      if (size > HEADER_BYTES + MAX_TEXT_BYTES) {
        throw bad(path, "is " + size + " bytes, longer than a record may be");
      }
      ByteBuffer bytes = ByteBuffer.allocateDirect((int) size);
      int count = 1;
      while (bytes.hasRemaining() && count > 0) {
        count = file.read(bytes.position(), bytes); // may give a part
      }
      return bytes.flip();
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.ENOENT) {
        throw new BlkSnapException(Errno.ENOENT, "there is no record " + path, e);
      }
      throw e;
    }
  }

  private static BlkSnapException bad(Path path, String what) {
    return new BlkSnapException(Errno.EBADMSG, path + " " + what);
  }

  private static int crc(byte[] text) {
    var crc = new CRC32C();
    crc.update(text);
    return (int) crc.getValue();
  }
}
