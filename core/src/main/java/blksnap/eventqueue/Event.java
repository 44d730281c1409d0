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

  /** At the present rate diff storage is full in {@code seconds}. */
  record FullSoon(long seconds) implements Event {
    @Override
    public String code() {
      return "full_soon";
    }
  }

  /** Others removed, replaced or cut a file of diff storage; {@code trouble} says which and how. */
  record StorageTrouble(String trouble) implements Event {
    @Override
    public String code() {
      return "storage_trouble";
    }
  }

  /**
   * Changes of {@code device} cannot be noted as they have to be: its change map, or what a power
   * loss would leave of it, is in danger. Sent once until that works again.
   */
  record MapAtRisk(String device, Errno errno) implements Event {
    @Override
    public String code() {
      return "map_at_risk";
    }
  }
}
