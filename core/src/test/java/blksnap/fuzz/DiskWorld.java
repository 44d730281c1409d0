package blksnap.fuzz;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.engine.EngineConfig;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.testing.Bytes;
import blksnap.testing.Kill;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Three devices with snapshots on them, as a killed engine leaves them, and what a right answer is.
 * {@link #restore} brings all of it back as often as it is wanted.
 */
final class DiskWorld {
  static final int BLOCK = 4096;
  static final List<String> DEVICES = List.of("a", "b", "c");

  /** Images in the order of their takes, by the names of their exports. */
  static final List<String> IMAGES =
      List.of("a@one", "b@one", "a@two", "c@two", "a@three", "b@three");

  /** A device's change map at the kill. */
  record Changes(UUID generation, List<ByteRange> ranges) {}

  private final Path directory;
  private final Map<String, byte[]> devices = new TreeMap<>();
  private final Map<String, byte[]> images = new HashMap<>();
  private final Map<String, Changes> changes = new HashMap<>();

  /** Frozen maps by the names of the images. */
  private final Map<String, List<ByteRange>> frozen = new HashMap<>();

  private final Map<String, FileTime> times = new HashMap<>();
  private final Kill newest;

  DiskWorld(Path directory) throws IOException {
    this.directory = directory;
    Path[] places = {
      directory.resolve("state"),
      directory.resolve("one.diff"),
      directory.resolve("two.diff"),
      directory.resolve("three.diff"),
      directory.resolve("four.diff")
    };
    try (var engine = new TestEngine(directory)) {
      attach(engine, "a", 64);
      attach(engine, "b", 64);
      attach(engine, "c", 40);
      take(engine, "one", "a", "b");
      write(engine, "a", 3, 5);
      write(engine, "b", 10, 20);
      Kill.at(directory.resolve("older"), places[0], places[1]);
      engine.write("a@one", 4L * BLOCK, Bytes.pattern(50, 4L * BLOCK, 2 * BLOCK));
      System.arraycopy(
          Bytes.pattern(50, 4L * BLOCK, 2 * BLOCK), 0, content("a@one"), 4 * BLOCK, 2 * BLOCK);
      take(engine, "two", "a", "c");
      write(engine, "a", 4, 20);
      write(engine, "c", 0, 9);
      take(engine, "three", "a", "b");
      write(engine, "a", 15, 30);
      write(engine, "b", 0, 30);
      engine.create("four", "a");
      for (String device : DEVICES) {
        changes.put(
            device,
            new Changes(
                engine.cbt(device).generationId(),
                engine.changes(device, Optional.of("0"), Optional.empty()).ranges()));
      }
      for (String image : IMAGES) {
        frozen.put(image, frozen(engine, image));
      }
      newest = Kill.at(directory.resolve("newest"), places);
    }
    for (String device : DEVICES) {
      times.put(device, Files.getLastModifiedTime(file(device)));
    }
  }

  private void attach(TestEngine engine, String name, int blocks) throws IOException {
    byte[] content = Bytes.pattern(name.hashCode(), 0, blocks * BLOCK);
    Arrays.fill(content, 30 * BLOCK, 34 * BLOCK, (byte) 0);
    devices.put(name, content);
    engine.attach(name, content.clone());
  }

  private void take(TestEngine engine, String name, String... of) throws IOException {
    engine.take(name, of);
    for (String device : of) {
      images.put(device + "@" + name, content(device).clone());
    }
  }

  private void write(TestEngine engine, String device, int first, int end) throws IOException {
    long offset = (long) first * BLOCK;
    byte[] data = Bytes.pattern(first + 1000L * end, offset, (end - first) * BLOCK);
    engine.write(device, offset, data);
    System.arraycopy(data, 0, content(device), first * BLOCK, data.length);
  }

  /** What the device or image holds. */
  byte[] content(String export) {
    byte[] content = export.contains("@") ? images.get(export) : devices.get(export);
    if (content == null) {
      throw new IllegalArgumentException(export);
    }
    return content;
  }

  Changes changes(String device) {
    Changes known = changes.get(device);
    if (known == null) {
      throw new IllegalArgumentException(device);
    }
    return known;
  }

  List<ByteRange> frozen(String image) {
    return frozen.getOrDefault(image, List.of());
  }

  /** The frozen map of an image, as an engine tells it. */
  static List<ByteRange> frozen(TestEngine engine, String image) throws IOException {
    int at = image.indexOf('@');
    return engine
        .changes(image.substring(0, at), Optional.of("0"), Optional.of(image.substring(at + 1)))
        .ranges();
  }

  Path directory() {
    return directory;
  }

  Path file(String device) {
    return directory.resolve(device + ".img");
  }

  /** The files as a killed engine leaves them, the devices with their content and times. */
  void restore() throws IOException {
    for (String device : DEVICES) {
      if (!Arrays.equals(Files.readAllBytes(file(device)), content(device))) {
        Files.write(file(device), content(device)); // in place: it stays the same file
      }
      Files.setLastModifiedTime(file(device), times.getOrDefault(device, FileTime.fromMillis(0)));
    }
    newest.restore();
    for (String device : DEVICES) {
      observe(device);
    }
  }

  /**
   * What the map remembers of how the device looked becomes how it looks now: the time of a change
   * cannot be put back.
   */
  private void observe(String device) throws IOException {
    Path map = directory.resolve("state/devices").resolve(device).resolve("cbt");
    byte[] raw = Files.readAllBytes(map);
    ByteBuffer bytes = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);
    for (int slot : new int[] {2048 + 512, 2048 + 768}) {
      if (DiskMutator.crc(bytes, slot, 60) == bytes.getInt(slot + 60)) {
        bytes.putLong(slot + 24, nanos(file(device), "unix:lastModifiedTime"));
        bytes.putLong(slot + 32, nanos(file(device), "unix:ctime"));
        bytes.putInt(slot + 60, DiskMutator.crc(bytes, slot, 60));
      }
    }
    bytes.putLong(2048 + 32, 1 + TimeUnit.NANOSECONDS.toMillis(nanos(file(device), "unix:ctime")));
    Files.write(map, raw);
  }

  private static long nanos(Path file, String attribute) throws IOException {
    return ((FileTime) Files.getAttribute(file, attribute)).to(TimeUnit.NANOSECONDS);
  }

  /** Every file that an engine will read, sorted. */
  List<Path> files() throws IOException {
    List<Path> files = new ArrayList<>();
    for (String place : List.of("state", "one.diff", "two.diff", "three.diff", "four.diff")) {
      Path top = directory.resolve(place);
      if (!Files.exists(top)) {
        continue;
      }
      try (Stream<Path> all = Files.walk(top)) {
        all.filter(path -> Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS))
            .forEach(files::add);
      }
    }
    Collections.sort(files);
    return files;
  }

  /** The older copy of a file; empty when there was none then. */
  Optional<Path> older(Path file) {
    Path inside = directory.relativize(file);
    Path copy =
        inside.startsWith("state")
            ? directory.resolve("older/0").resolve(Path.of("state").relativize(inside))
            : directory.resolve("older/1");
    boolean had = inside.startsWith("state") || inside.toString().equals("one.diff");
    return had && Files.isRegularFile(copy) ? Optional.of(copy) : Optional.empty();
  }

  /** Of an engine on these files, whose log goes to {@code log}. */
  EngineConfig config(List<LogRing.Line> log) {
    return new EngineConfig(
        directory.resolve("run"),
        directory.resolve("state"),
        TestEngine.SMALL,
        false,
        OptionalInt.empty(),
        log::add);
  }

  /** The names of the images that the engine offers. */
  static List<String> offered(TestEngine engine) throws IOException {
    List<String> offered = new ArrayList<>();
    for (CtrlReply.SnapshotEntry snapshot :
        engine.ask(CtrlReply.Snapshots.class, new CtrlRequest.SnapshotList()).snapshots()) {
      if (snapshot.state().equals("taken")) {
        engine
            .ask(CtrlReply.Images.class, new CtrlRequest.SnapshotImages(snapshot.name()))
            .images()
            .forEach(image -> offered.add(image.image()));
      }
    }
    return offered;
  }
}
