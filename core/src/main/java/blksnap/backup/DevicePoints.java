package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.error.NearMiss;
import blksnap.qcow2.ByteFile;
import blksnap.qcow2.Qcow2File;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/** The points of one device as they are at one moment. */
public final class DevicePoints {
  /** More below each other are a loop, or too many to be read in reasonable time. */
  static final int MAX_CHAIN = 4096;

  private final BackupStore store;
  private final String device;
  private final Map<String, Manifest> points;
  private final Map<String, BlkSnapException> damaged;

  private DevicePoints(
      BackupStore store,
      String device,
      Map<String, Manifest> points,
      Map<String, BlkSnapException> damaged) {
    this.store = store;
    this.device = device;
    this.points = points;
    this.damaged = damaged;
  }

  /** Reads all manifests of a device. */
  public static DevicePoints load(BackupStore store, String device) throws IOException {
    var found = new ArrayList<Manifest>();
    Map<String, BlkSnapException> damaged = new LinkedHashMap<>();
    for (String file : store.files(device)) {
      Optional<String> point = PointNames.pointOf(file);
      if (point.isEmpty() || !file.endsWith(PointNames.MANIFEST)) {
        continue;
      }
      String path = store.name() + "/" + device + "/" + file;
      try {
        byte[] text = store.read(device, file, blksnap.state.SealedJson.MAX_BYTES);
        found.add(Manifest.decode(text, device, point.get(), path));
      } catch (BlkSnapException e) {
        if (e.errno() != Errno.EBADMSG && e.errno() != Errno.EFBIG) {
          throw e;
        }
        damaged.put(point.get(), e);
      }
    }
    found.sort(Comparator.comparingLong(Manifest::sequence).thenComparing(Manifest::name));
    Map<String, Manifest> points = new LinkedHashMap<>();
    found.forEach(manifest -> points.put(manifest.name(), manifest));
    return new DevicePoints(store, device, points, damaged);
  }

  public String device() {
    return device;
  }

  /** The oldest first. */
  public List<Manifest> all() {
    return List.copyOf(points.values());
  }

  /** What is wrong with the manifests that could not be read, by the name of the point. */
  public Map<String, BlkSnapException> damaged() {
    return Map.copyOf(damaged);
  }

  Set<String> names() {
    var names = new HashSet<>(points.keySet());
    names.addAll(damaged.keySet());
    return names;
  }

  Optional<Manifest> latest() {
    return points.values().stream().reduce((_, second) -> second);
  }

  /**
   * The point with this name; the latest one for an empty name.
   *
   * @throws BlkSnapException {@code ENOENT} when there is none, and what is wrong with it when it
   *     is damaged
   */
  public Manifest find(String name) throws BlkSnapException {
    if (name.isEmpty()) {
      return latest()
          .orElseThrow(() ->
              new BlkSnapException(
                  Errno.ENOENT, "there is no backup of " + device + " in " + store.name()));
    }
    Manifest found = points.get(name);
    if (found != null) {
      return found;
    }
    BlkSnapException wrong = damaged.get(name);
    if (wrong != null) {
      throw wrong;
    }
    var refusal =
        new BlkSnapException(
            Errno.ENOENT, "there is no point " + name + " of " + device + " in " + store.name());
    throw NearMiss.hint(name, points.keySet()).map(refusal::withHint).orElse(refusal);
  }

  /**
   * Opens the disk of a point.
   *
   * @throws BlkSnapException {@code EBADMSG} when a file of it is damaged, missing or another one
   */
  PointContent open(Manifest top) throws IOException {
    return top.format() == Manifest.DataFormat.RAW ? openRaw(top) : openChain(top);
  }

  private PointContent openRaw(Manifest point) throws IOException {
    var opened = new ArrayList<Closeable>();
    try {
      ByteFile file = openFile(point.dataFile(), point);
      opened.add(file);
      if (file.sizeBytes() != point.sizeBytes()) {
        throw bad(file.name() + " has " + file.sizeBytes() + " bytes, not " + point.sizeBytes());
      }
      HashIndex hashes = openHashes(point, point.file());
      opened.add(hashes);
      return new RawContent(file, hashes);
    } catch (IOException | RuntimeException e) {
      Closing.after(e, opened);
      throw e;
    }
  }

  /** The same of a point that is no raw one. */
  ChainContent openChain(Manifest top) throws IOException {
    var layers = new ArrayList<ChainContent.Layer>();
    try {
      Optional<Manifest> next = Optional.of(top);
      while (next.isPresent()) {
        if (layers.size() == MAX_CHAIN) {
          throw bad("more than " + MAX_CHAIN + " points are below " + top.name());
        }
        layers.add(openLayer(next.get()));
        next = below(next.get(), layers.getLast().file().header().id());
      }
      return new ChainContent(layers);
    } catch (IOException | RuntimeException e) {
      Closing.after(
          e,
          layers.stream()
              .flatMap(layer -> java.util.stream.Stream.<Closeable>of(layer.file(), layer.hashes()))
              .toList());
      throw e;
    }
  }

  /** The manifest of the point that a data file leans on. */
  private Optional<Manifest> below(Manifest point, UUID fileId) throws BlkSnapException {
    Optional<String> parent = fileOf(point, fileId).orElse(point.file()).parent();
    if (parent.isEmpty()) {
      return Optional.empty();
    }
    Manifest found = points.get(parent.get());
    if (found == null) {
      throw bad(
          "point "
              + point.name()
              + " of "
              + device
              + " leans on "
              + parent.get()
              + ", which is "
              + (damaged.containsKey(parent.get()) ? "damaged" : "missing"));
    }
    if (found.sequence() >= point.sequence() || found.format() != Manifest.DataFormat.QCOW2) {
      throw bad("point " + point.name() + " of " + device + " cannot lean on " + found.name());
    }
    return Optional.of(found);
  }

  static Optional<Manifest.DataFile> fileOf(Manifest point, UUID id) {
    return point.files().stream().filter(file -> file.id().equals(id)).findFirst();
  }

  private ChainContent.Layer openLayer(Manifest point) throws IOException {
    ByteFile bytes = openFile(point.dataFile(), point);
    var opened = new ArrayList<Closeable>(List.of(bytes));
    try {
      Qcow2File file = Qcow2File.open(bytes);
      Manifest.DataFile told =
          fileOf(point, file.header().id())
              .orElseThrow(() ->
                  bad(file.name() + " is not the file that the manifest of its point tells of"));
      Optional<String> backing = told.parent().map(parent -> parent + PointNames.QCOW2);
      if (file.header().diskBytes() != point.sizeBytes()
          || !file.header().backing().equals(backing)
          || file.fileBytes() != told.bytes()) {
        throw bad(file.name() + " was changed: its size or its backing file is another one");
      }
      HashIndex hashes = openHashes(point, told);
      return new ChainContent.Layer(file, hashes);
    } catch (IOException | RuntimeException e) {
      Closing.after(e, opened);
      throw e;
    }
  }

  private HashIndex openHashes(Manifest point, Manifest.DataFile told) throws IOException {
    ByteFile file = openFile(PointNames.hashes(point.name(), told.id()), point);
    try {
      return HashIndex.open(file, told, point.sizeBytes());
    } catch (IOException | RuntimeException e) {
      Closing.after(e, List.of(file));
      throw e;
    }
  }

  private ByteFile openFile(String name, Manifest point) throws IOException {
    try {
      return store.open(device, name);
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.ENOENT) {
        throw new BlkSnapException(
            Errno.EBADMSG,
            "file " + name + " of point " + point.name() + " of " + device + " is missing",
            e);
      }
      throw e;
    }
  }

  /** Names of the points that a point needs, itself first; judges what the manifests say only. */
  List<Manifest> chain(Manifest top) throws BlkSnapException {
    var chain = new ArrayList<Manifest>();
    Optional<Manifest> next = Optional.of(top);
    while (next.isPresent()) {
      chain.add(next.get());
      next = below(next.get(), next.get().file().id());
    }
    return chain;
  }

  private static BlkSnapException bad(String sentence) {
    return new BlkSnapException(Errno.EBADMSG, sentence);
  }
}
