package blksnap.cli.it;

import blksnap.testing.Stamps;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a harness that kills the daemon knows of one snapshot. Used by one thread at a time. */
final class HeldSnapshot {
  /** What was asked for and not answered, when there is such a thing. */
  enum UnderWay {
    NOTHING,
    CREATE,
    TAKE,
    DESTROY
  }

  final String name;
  final String durability;
  final List<StampedDisk> disks;

  UnderWay underWay = UnderWay.CREATE;
  boolean taken;
  long takeSent;
  long takeAnswered = Stamps.NEVER;

  private final Map<StampedDisk, long[]> images = new HashMap<>();
  private final Map<StampedDisk, long[]> touched = new HashMap<>();
  private final Map<StampedDisk, Map<Integer, Long>> written = new HashMap<>();
  private final Map<StampedDisk, Map<Integer, Long>> unanswered = new HashMap<>();

  HeldSnapshot(String name, String durability, List<StampedDisk> disks) {
    this.name = name;
    this.durability = durability;
    this.disks = List.copyOf(disks);
    for (StampedDisk disk : disks) {
      written.put(disk, new HashMap<>());
      unanswered.put(disk, new HashMap<>());
    }
  }

  String image(StampedDisk disk) {
    return disk.name() + "@" + name;
  }

  boolean isVolatile() {
    return durability.equals("none");
  }

  /** Whether its image was read whole, so that it is known what it shows from then on. */
  boolean isKnown() {
    return images.size() == disks.size();
  }

  /** What the image showed when it was first read. */
  long[] shown(StampedDisk disk) {
    return known(images.get(disk));
  }

  private Map<Integer, Long> writtenTo(StampedDisk disk) {
    return known(written.get(disk));
  }

  private Map<Integer, Long> unansweredOf(StampedDisk disk) {
    return known(unanswered.get(disk));
  }

  private static <T> T known(@Nullable T value) {
    if (value == null) {
      throw new IllegalStateException("not of this snapshot, or not read yet");
    }
    return value;
  }

  void imageSent(StampedDisk disk, int block, long stamp) {
    unansweredOf(disk).put(block, stamp);
  }

  void imageAnswered(StampedDisk disk, int block) {
    Long stamp = unansweredOf(disk).remove(block);
    writtenTo(disk).put(block, known(stamp));
  }

  /** Whether the image may differ there from the device at the moment of the take. */
  boolean wasWritten(StampedDisk disk, int block) {
    return writtenTo(disk).containsKey(block) || unansweredOf(disk).containsKey(block);
  }

  /** Whether a write that its frozen map may report was under way after this time. */
  boolean mayHaveChangedSince(StampedDisk disk, int block, long time) {
    return known(touched.get(disk))[block] > time || disk.imageMayHaveChangedSince(block, time);
  }

  /**
   * The images, one for each disk, show one moment of all disks when they are read first, and the
   * same from then on, but for what was written to them.
   */
  void check(Map<StampedDisk, long[]> now, String which) {
    if (isKnown()) {
      disks.forEach(disk -> checkSame(disk, known(now.get(disk)), which));
    } else {
      var moment = new Stamps.Moment(name + ", " + which, takeSent, takeAnswered);
      for (StampedDisk disk : disks) {
        long[] shown = known(now.get(disk));
        for (int block = 0; block < shown.length; block++) {
          moment.show(disk.stamps(), block, shown[block]);
        }
      }
      moment.check();
      images.putAll(now);
      disks.forEach(disk -> touched.put(disk, disk.touchedBySentBefore(takeAnswered)));
    }
  }

  private void checkSame(StampedDisk disk, long[] now, String which) {
    long[] before = shown(disk);
    for (int block = 0; block < now.length; block++) {
      Long maybe = unansweredOf(disk).remove(block);
      if (maybe != null && now[block] == maybe) {
        writtenTo(disk).put(block, maybe);
      }
      long expected = writtenTo(disk).getOrDefault(block, before[block]);
      if (now[block] != expected) {
        throw new AssertionError(
            "block %d of %s shows %x, and it showed %x; %s"
                .formatted(block, image(disk), now[block], expected, which));
      }
    }
  }
}
