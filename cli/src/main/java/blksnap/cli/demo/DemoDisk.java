package blksnap.cli.demo;

import java.nio.file.Path;
import java.util.List;

/**
 * One disk of the demo.
 *
 * @param run number of the run
 * @param number of the disk in the run
 * @param name as a device
 * @param file the disk itself; written to through the engine only
 * @param original copy of the file from before the first write
 * @param sizeBytes what the engine serves of it
 * @param content what is on it
 * @param blocks where the writer may write, in blocks of {@link Stamp#BYTES}
 */
record DemoDisk(
    long run,
    long number,
    String name,
    Path file,
    Path original,
    long sizeBytes,
    Content content,
    BlockChoice blocks) {

  /**
   * What is on a disk.
   *
   * @param words for people
   * @param command that makes such a disk by hand
   * @param fileSystem whether the writer leaves the file system's own structures alone
   */
  record Content(String words, List<String> command, boolean fileSystem) {
    public Content {
      command = List.copyOf(command);
    }
  }
}
