package blksnap.sim.machine;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A file or a directory, whatever it is called. */
final class Inode {
  final long number;

  /** What is in it; null for a directory. */
  final @Nullable Content content;

  /** Files of a directory by name, in the order in which they were made. */
  final Map<String, Inode> entries = new LinkedHashMap<>();

  /** The same as the disk has it. */
  final Map<String, Inode> durableEntries = new LinkedHashMap<>();

  /** Which of the machine's files it is, for faults. */
  final FileClass fileClass;

  /** Whether it is a block device. */
  boolean disk;

  long bornNanos;
  long modifiedNanos;
  long changedNanos;

  /** Who has it locked. */
  @Nullable SimFile lockedBy;

  /** A page was lost, and nobody was told yet. */
  boolean owesAnError;

  Inode(long number, boolean directory, FileClass fileClass) {
    this.number = number;
    this.content = directory ? null : new Content();
    this.fileClass = fileClass;
  }

  boolean isDirectory() {
    return content == null;
  }

  Content data() {
    Content bytes = content;
    if (bytes == null) {
      throw new IllegalStateException("inode " + number + " is a directory");
    }
    return bytes;
  }
}
