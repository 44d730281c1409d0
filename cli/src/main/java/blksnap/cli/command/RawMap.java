package blksnap.cli.command;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/** The bytes of a change map, one a block, fetched page by page. One thread. */
public final class RawMap {
  private final CommandContext context;
  private final String device;
  private final Optional<String> until;

  /**
   * @param until a snapshot whose frozen map it is; empty: the live one
   */
  public RawMap(CommandContext context, String device, Optional<String> until) {
    this.context = context;
    this.device = device;
    this.until = until;
  }

  /**
   * Writes beside the file and renames, so that the file is whole or as it was; a pipe is written
   * straight.
   *
   * @return blocks of the map
   */
  public long writeTo(Path file) throws IOException, InterruptedException {
    if (Files.exists(file) && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      return copyTo(file);
    }
    Path part = file.resolveSibling(file.getFileName() + ".part");
    try {
      long blocks = copyTo(part);
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      return blocks;
    } finally {
      Files.deleteIfExists(part);
    }
  }

  /** All of it, in memory. */
  byte[] read() throws IOException, InterruptedException {
    var bytes = new ByteArrayOutputStream();
    copy(page(0), bytes);
    return bytes.toByteArray();
  }

  private long copyTo(Path file) throws IOException, InterruptedException {
    // Asked before the file is made, so that a refusal leaves nothing.
    CtrlReply.CbtBytes first = page(0);
    try (OutputStream stream = Files.newOutputStream(file)) {
      return copy(first, stream);
    }
  }

  private long copy(CtrlReply.CbtBytes first, OutputStream stream)
      throws IOException, InterruptedException {
    CtrlReply.CbtBytes page = first;
    long written = 0;
    try (var progress = context.progress()) {
      while (true) {
        stream.write(page.bytes());
        written += page.bytes().length;
        if (written >= page.blockCount()) {
          return written;
        }
        progress.tell("reading the map", written, page.blockCount());
        page = page(written);
      }
    }
  }

  private CtrlReply.CbtBytes page(long fromBlock) throws IOException, InterruptedException {
    var request = new CtrlRequest.CbtRaw(device, until, fromBlock);
    var page = context.ask(request, CtrlReply.CbtBytes.class);
    if (page.bytes().length == 0 && fromBlock < page.blockCount()) {
      throw new BlkSnapException(
          Errno.EPROTO, "the map ends at block " + fromBlock + " of " + page.blockCount());
    }
    return page;
  }
}
