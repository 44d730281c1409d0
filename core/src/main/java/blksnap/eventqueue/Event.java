package blksnap.eventqueue;

import blksnap.error.Errno;

/** One event of a snapshot. */
public sealed interface Event {
  /** The word for it on every interface. */
  String code();

  /** Diff storage will run out; {@code requestedSectors} more would help. */
  record LowFreeSpace(long requestedSectors) implements Event {
    @Override
    public String code() {
      return "low_free_space";
    }
  }

  /** The part of the snapshot that shows {@code device} cannot be read any more. Sent once. */
  record Corrupted(String device, Errno errno) implements Event {
    @Override
    public String code() {
      return "corrupted";
    }
  }

  /** Diff storage ran out; {@code requestedSectors} more are needed to go on. */
  record NoSpace(long requestedSectors) implements Event {
    @Override
    public String code() {
      return "no_space";
    }
  }
}
