package blksnap.sim.oracle;

import blksnap.diffarea.AreaProbe;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.Location;
import blksnap.error.BlkSnapException;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** What is looked at while nothing goes on. */
final class Checks {
  private final Scene scene;

  Checks(Scene scene) {
    this.scene = scene;
  }

  /** What an engine has found of those before it. */
  void found() {
    Set<String> expected = new HashSet<>();
    for (SnapshotModel model : List.copyOf(scene.snapshots.values())) {
      Snapshot snapshot = scene.lookup(model);
      Snapshot.State found = snapshot == null ? Snapshot.State.DESTROYED : snapshot.view().state();
      boolean memoryOnly = model.durability == Durability.NONE;
      boolean right =
          switch (model.state) {
            case CREATING -> found != Snapshot.State.TAKEN;
            case CREATED -> found == Snapshot.State.CREATED;
            case TAKING -> found != Snapshot.State.DESTROYED || memoryOnly;
            case TAKEN -> found == Snapshot.State.TAKEN || memoryOnly;
            case DESTROYING -> true;
          };
      if (!right && scene.faults.injected() == 0) {
        throw new Violation(
            "snapshot " + model.name + " was " + model.state + " and is " + found + scene.log());
      }
      if (snapshot == null) {
        scene.snapshots.remove(model.name);
        continue;
      }
      expected.add(model.name);
      if (model.state == SnapshotModel.State.DESTROYING) {
        model.mayBreak = true;
      }
      if (found == Snapshot.State.TAKEN) {
        if (model.state == SnapshotModel.State.TAKING) {
          scene.number(model, snapshot);
        }
        model.state = SnapshotModel.State.TAKEN;
      } else {
        model.images.clear();
        model.state = SnapshotModel.State.CREATED;
      }
    }
    for (Snapshot snapshot : scene.engine().snapshots.all()) {
      if (!expected.contains(snapshot.name()) && scene.faults.injected() == 0) {
        throw new Violation("snapshot " + snapshot.name() + " came from nowhere");
      }
    }
    for (DiskModel disk : scene.disks.values()) {
      UUID now;
      try {
        now = scene.generation(disk);
      } catch (BlkSnapException e) {
        throw new Violation("the map of " + disk.name + " cannot be read", e);
      }
      UUID before = disk.generation;
      boolean same = before == null || before.equals(now) || !disk.restart.isEmpty();
      if (!same && scene.faults.injected() == 0) {
        throw new Violation("disk " + disk.name + " has a new generation: " + scene.log());
      }
      disk.generation = now;
      disk.restart = "";
      disk.halfResized = false;
      disk.loaded(scene.faults.syncsOfDisk());
    }
    if (scene.faults.injected() == 0) {
      checkFiles();
    }
  }

  /** No file is there that nobody needs. */
  private void checkFiles() {
    Set<String> storages = new HashSet<>();
    Set<String> numbers = new HashSet<>();
    for (DiffStorage storage : scene.engine().storages.all()) {
      numbers.add(Integer.toString(storage.number()));
      storage.describe().forEach(range -> storages.add(name(range.path())));
    }
    requireOnly("/storage", storages);
    requireOnly("/state/storages", numbers);
    Set<String> ids = new HashSet<>();
    scene.engine().snapshots.all().forEach(snapshot -> ids.add(snapshot.id().toString()));
    requireOnly("/state/snapshots", ids);
  }

  private static String name(java.nio.file.Path path) {
    return String.valueOf(path.getFileName());
  }

  private void requireOnly(String directory, Set<String> expected) {
    for (String name : scene.machine.list(directory)) {
      if (!expected.contains(name)) {
        throw new Violation("nobody needs " + directory + "/" + name + scene.log());
      }
    }
  }

  /** Every map, image and block of storage. */
  void all() throws IOException {
    var maps = new MapReader(scene);
    var images = new Viewer(scene);
    for (DiskModel disk : scene.disks.values()) {
      if (scene.engine().trackers.lookup(disk.name).isPresent()) {
        maps.check(disk);
      }
    }
    for (SnapshotModel model : scene.snapshots.values()) {
      Snapshot snapshot = scene.lookup(model);
      if (snapshot == null || model.state != SnapshotModel.State.TAKEN) {
        continue;
      }
      @Nullable TakeModel first = null;
      for (Map.Entry<String, ImageModel> entry : model.images.entrySet()) {
        ImageModel image = entry.getValue();
        switch (snapshot.part(entry.getKey()).orElseThrow()) {
          case SnapshotPart.Taken part -> {
            for (int at = 0; at < image.take.sectors; at += 64) {
              images.read(model, part, image, at, Math.min(64, image.take.sectors - at));
            }
          }
          case SnapshotPart.Lost lost -> {
            if (!model.mayBreak) {
              throw new Violation(model.name + " has lost " + lost + scene.log());
            }
          }
          case SnapshotPart.Named named -> throw new Violation(model.name + " has only " + named);
        }
        if (first == null) {
          first = image.take;
        } else {
          first.joins(image.take, model.name);
        }
      }
      maps.read(model);
    }
    checkAccounts();
  }

  /** Every block that is used is used once, and counted. */
  private void checkAccounts() {
    Map<Long, String> users = new HashMap<>();
    Map<Integer, Long> used = new HashMap<>();
    for (TrackerTable.Attached attached : scene.engine().trackers.all()) {
      for (var area : attached.device().chain().areas()) {
        AreaProbe.visit(
            area,
            (isPrivate, block, location) -> {
              if (location == Location.ZEROES) {
                return;
              }
              String user = attached.name() + " " + block + (isPrivate ? area : "");
              String other = users.put(location, user);
              if (other == null) {
                used.merge(Location.storage(location), 1L, Long::sum);
              } else if (!other.equals(user)) {
                throw new Violation("one block of storage holds " + other + " and " + user);
              }
            });
      }
    }
    for (DiffStorage storage : scene.engine().storages.all()) {
      long filled = storage.space().filled() / Location.BLOCK_BYTES;
      long needed = used.getOrDefault(storage.number(), 0L);
      if (scene.faults.injected() == 0 && filled != needed) {
        throw new Violation(
            "storage "
                + storage.number()
                + " has "
                + filled
                + " blocks filled, "
                + needed
                + " are needed");
      }
    }
  }
}
