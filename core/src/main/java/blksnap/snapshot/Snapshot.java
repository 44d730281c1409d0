package blksnap.snapshot;

import blksnap.diffstorage.DiffStorage;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.EventQueue;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One snapshot: created, then taken, then destroyed. What changes it holds its {@link #lock};
 * looking at it takes none.
 */
public final class Snapshot {
  /** Where a snapshot is in its life. */
  public enum State {
    CREATED,
    TAKEN,
    DESTROYED
  }

  private final UUID id;
  private final DiffStorage storage;
  private final EventQueue events;

  /**
   * Held across take, add, append and destroy, so that they come one after the other. Taken before
   * any gate.
   */
  private final ReentrantLock lock = new ReentrantLock();

  private volatile View view;

  private volatile SnapshotConfig config;

  /**
   * What it is at one moment.
   *
   * @param pauseNanos how long the take held writers
   * @param consistency empty before the take
   */
  public record View(
      State state,
      List<SnapshotPart> parts,
      Optional<Instant> takenAt,
      OptionalLong pauseNanos,
      Optional<Consistency> consistency) {
    public View {
      parts = List.copyOf(parts);
    }

    /** Of one that is not taken. */
    View(State state, List<SnapshotPart> parts, OptionalLong pauseNanos) {
      this(state, parts, Optional.empty(), pauseNanos, Optional.empty());
    }
  }

  Snapshot(UUID id, SnapshotConfig config, DiffStorage storage, EventQueue events, View view) {
    this.id = id;
    this.config = config;
    this.storage = storage;
    this.events = events;
    this.view = view;
  }

  public UUID id() {
    return id;
  }

  /** The user's name for it, or its UUID. */
  public String name() {
    return config.name().isEmpty() ? id.toString() : config.name();
  }

  public SnapshotConfig config() {
    return config;
  }

  public DiffStorage storage() {
    return storage;
  }

  public EventQueue events() {
    return events;
  }

  public View view() {
    return view;
  }

  /** What its images can be trusted to be; empty before the take. */
  public Optional<Consistency> consistency() {
    return view.consistency();
  }

  /** The part of it that shows {@code device}, or empty. */
  public Optional<SnapshotPart> part(String device) {
    return view.parts().stream().filter(part -> part.device().equals(device)).findFirst();
  }

  ReentrantLock lock() {
    return lock;
  }

  /** Whether an image of it is read from a block of {@code other}, that of a snapshot gone by. */
  boolean hasBlocksIn(DiffStorage other) {
    return view.parts().stream()
        .anyMatch(part ->
            part instanceof SnapshotPart.Taken taken && taken.area().hasBlocksIn(other.number()));
  }

  /** Needs {@link #lock}. */
  void become(View next) {
    view = next;
  }

  /** Needs {@link #lock}. */
  void limit(ImageLimit limit) {
    config = config.with(limit);
  }

  /** Refuses another state; needs {@link #lock}. */
  void require(State state) throws BlkSnapException {
    State now = view.state();
    if (now == state) {
      return;
    }
    throw switch (now) {
      case CREATED ->
          new BlkSnapException(Errno.EINVAL, "snapshot " + name() + " is not taken yet");
      case TAKEN ->
          new BlkSnapException(Errno.EALREADY, "snapshot " + name() + " is taken already");
      case DESTROYED -> new BlkSnapException(Errno.ESRCH, "snapshot " + name() + " is destroyed");
    };
  }

  /** Needs {@link #lock}. */
  void add(String device) {
    List<SnapshotPart> parts = new ArrayList<>(view.parts());
    parts.add(new SnapshotPart.Named(device));
    view = new View(view.state(), parts, view.pauseNanos());
  }
}
