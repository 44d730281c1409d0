package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.CommandRun;
import blksnap.error.BlkSnapException;
import blksnap.state.Fields;
import blksnap.state.StateFile;
import blksnap.testing.Stamps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What a daemon that was killed must have kept beside the data: numbers, maps, accounts, files. */
final class KillAudit {
  private static final int MOST_NUMBER = 255; // the next take begins a generation
  private static final Pattern GENERATION = Pattern.compile("\"generation_id\":\"([^\"]+)\"");
  private static final Pattern NUMBER = Pattern.compile("\"snap_number\":(\\d+)");

  /** Of one device: which generation, how many there were before it, the number, takes since. */
  private record Numbers(String generation, int index, int number, int takesSince) {}

  private final Lab lab;
  private final Path storage;
  private final List<StampedDisk> disks;
  private final Map<StampedDisk, Numbers> numbers = new HashMap<>();

  KillAudit(Lab lab, Path storage, List<StampedDisk> disks) {
    this.lab = lab;
    this.storage = storage;
    this.disks = disks;
    for (StampedDisk disk : disks) {
      String info = lab.ok("cbt", "info", disk.name(), "-o", "json");
      numbers.put(disk, new Numbers(find(GENERATION, info), 0, number(info), 0));
    }
  }

  static <T> T known(@Nullable T value) {
    return Objects.requireNonNull(value, "unknown");
  }

  private static String find(Pattern pattern, String info) {
    Matcher matcher = pattern.matcher(info);
    assertThat(matcher.find()).as(info).isTrue();
    return matcher.group(1);
  }

  private static int number(String info) {
    return Integer.parseInt(find(NUMBER, info));
  }

  /** A take of these devices is about to be asked for. */
  void takeSent(List<StampedDisk> taken) {
    for (StampedDisk disk : taken) {
      Numbers n = known(numbers.get(disk));
      numbers.put(disk, new Numbers(n.generation, n.index, n.number, n.takesSince + 1));
    }
  }

  /**
   * Every take was answered, so the numbers are certain, unless the daemon is being ended while
   * they are asked for.
   */
  void numbersNow(AtomicBoolean ending) {
    for (StampedDisk disk : disks) {
      CommandRun run = lab.command("cbt", "info", disk.name(), "-o", "json");
      if (run.code() != 0) {
        assertThat(ending).as(run.err()).isTrue();
        return;
      }
      Numbers then = known(numbers.get(disk));
      Numbers now = next(then, run.out());
      check(then, now, then.takesSince, disk.name());
      numbers.put(disk, now);
    }
  }

  private static Numbers next(Numbers then, String info) {
    String generation = find(GENERATION, info);
    int index = generation.equals(then.generation) ? then.index : then.index + 1;
    return new Numbers(generation, index, number(info), 0);
  }

  /** Each take counted once; at the end of the numbers a generation began. */
  private static void check(Numbers then, Numbers now, int least, String which) {
    if (now.index == then.index) {
      assertThat(now.number - then.number).as(which).isBetween(least, then.takesSince);
    } else {
      assertThat(then.number + then.takesSince).as(which).isGreaterThan(MOST_NUMBER - 2);
      assertThat(now.number).as(which).isLessThanOrEqualTo(then.takesSince);
    }
  }

  /**
   * The daemon is back.
   *
   * @param closedInOrder perhaps: a block device then begins a generation, since it does not tell
   *     whether it was written meanwhile
   */
  void numbersAfter(boolean closedInOrder, String which) {
    for (StampedDisk disk : disks) {
      Numbers then = known(numbers.get(disk));
      Numbers now = next(then, lab.ok("cbt", "info", disk.name(), "-o", "json"));
      boolean block = lab.ok("cat", "/sys/block/" + disk.name() + "/path").startsWith("/dev/");
      if (!closedInOrder || !block) {
        check(then, now, 0, which);
      }
      numbers.put(disk, now);
    }
  }

  /** The map since a snapshot holds every block that changed, and none that nobody touched. */
  void map(HeldSnapshot snapshot, StampedDisk disk, long[] content, String which) {
    CommandRun run = lab.command("cbt", "map", disk.name(), "--since", snapshot.name);
    if (run.code() != 0) {
      // Its generation is over: then the numbers had wrapped, or the device was closed in order.
      assertThat(run.err()).as(which).contains("is of generation");
      assertThat(known(numbers.get(disk)).index).as(which).isPositive();
      return;
    }
    boolean[] changed =
        lab.changed(disk.name(), (long) disk.blocks() * Stamps.BLOCK, "--since", snapshot.name);
    long[] image = snapshot.shown(disk);
    for (int block = 0; block < changed.length; block++) {
      boolean must =
          disk.changedSince(block, snapshot.takeAnswered)
              || (content[block] != image[block] && !snapshot.wasWritten(disk, block));
      if (must && !changed[block]) {
        throw new AssertionError(
            "block %d of %s changed since %s and is missed, %s"
                .formatted(block, disk.name(), snapshot.name, which));
      }
      if (changed[block] && !disk.mayHaveChangedSince(block, snapshot.takeSent)) {
        throw new AssertionError(
            "block %d of %s did not change since %s and is reported, %s"
                .formatted(block, disk.name(), snapshot.name, which));
      }
    }
  }

  /**
   * The map between two snapshots, frozen with the later one, holds every block in which they
   * differ, and none that nobody touched in between.
   */
  void frozenMap(HeldSnapshot from, HeldSnapshot until, StampedDisk disk, String which) {
    String[] question = {
      "cbt", "map", disk.name(), "--since", from.name, "--until", until.name, "-o", "plain"
    };
    CommandRun run = lab.command(question);
    if (run.code() != 0) {
      assertThat(run.err()).as(which).contains("is of generation");
      assertThat(known(numbers.get(disk)).index).as(which).isPositive();
      return;
    }
    boolean[] changed = Lab.changedBlocks(run.out(), (long) disk.blocks() * Stamps.BLOCK);
    long[] before = from.shown(disk);
    long[] after = until.shown(disk);
    for (int block = 0; block < changed.length; block++) {
      boolean must =
          before[block] != after[block]
              && !from.wasWritten(disk, block)
              && !until.wasWritten(disk, block);
      if (must && !changed[block]) {
        throw new AssertionError(
            "block %d of %s changed from %s to %s and is missed, %s"
                .formatted(block, disk.name(), from.name, until.name, which));
      }
      if (changed[block] && !until.mayHaveChangedSince(disk, block, from.takeSent)) {
        throw new AssertionError(
            "block %d of %s did not change from %s to %s and is reported, %s"
                .formatted(block, disk.name(), from.name, until.name, which));
      }
    }
  }

  /** What is filled is what the images hold. */
  void storage(List<HeldSnapshot> held, String which) throws IOException {
    long stored = 0;
    long filled = 0;
    for (HeldSnapshot snapshot : held) {
      String space = "/sys/fs/blksnap/" + snapshot.name + "/storage/";
      filled += lab.number(space + "filled");
      assertThat(lab.number(space + "capacity"))
          .as(which)
          .isGreaterThanOrEqualTo(lab.number(space + "filled"));
      if (snapshot.taken) {
        for (StampedDisk disk : snapshot.disks) {
          stored += lab.number("/sys/block/" + snapshot.image(disk) + "/blocks_stored");
        }
      }
    }
    if (records("storages").size() == held.size()) {
      assertThat(filled).as("filled, %s", which).isEqualTo(stored * Stamps.BLOCK);
    } else { // storage that outlives its snapshot, for blocks that were handed down
      assertThat(filled).as("filled, %s", which).isLessThanOrEqualTo(stored * Stamps.BLOCK);
    }
  }

  private List<Path> records(String kind) throws IOException {
    Path home = lab.state().resolve(kind);
    if (!Files.exists(home)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(home)) {
      return entries.toList();
    }
  }

  private static Set<String> names(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries
          .map(entry -> entry.getFileName().toString())
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /** Nothing lies about that belongs to nobody. */
  void files(List<HeldSnapshot> held, String which) throws IOException {
    Set<String> ids = new TreeSet<>();
    for (HeldSnapshot snapshot : held) {
      ids.add(lab.ok("cat", "/sys/fs/blksnap/" + snapshot.name + "/uuid"));
    }
    List<Path> snapshots = records("snapshots");
    assertThat(snapshots.stream().map(path -> path.getFileName().toString()))
        .as("snapshots, %s", which)
        .containsExactlyInAnyOrderElementsOf(ids);
    for (Path snapshot : snapshots) {
      List<String> parts = new ArrayList<>(names(snapshot));
      assertThat(parts.remove("snapshot")).as("%s, %s", snapshot, which).isTrue();
      assertThat(Set.of("vm1", "vm2")).as("%s, %s", snapshot, which).containsAll(parts);
    }
    Set<String> expected = new TreeSet<>();
    for (Path record : records("storages")) {
      for (Fields range : range(record)) {
        expected.add(range.text("path"));
      }
    }
    assertThat(names(storage).stream().map(name -> storage.resolve(name).toString()))
        .as("storage files, %s", which)
        .containsExactlyInAnyOrderElementsOf(expected);
    assertThat(names(lab.run()))
        .as("run directory, %s", which)
        .isSubsetOf("ctrl.sock", "nbd.sock", "pid", "lock", "daemon.log");
    try (Stream<Path> all = Files.walk(lab.state())) {
      assertThat(all.filter(path -> path.toString().endsWith(".new")))
          .as("half written, %s", which)
          .isEmpty();
    }
  }

  private static List<Fields> range(Path record) throws IOException {
    try {
      return StateFile.read(record).list("ranges");
    } catch (BlkSnapException e) {
      throw new AssertionError(record + " cannot be read", e);
    }
  }
}
