package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.qcow2.Compression;
import blksnap.state.Fields;
import blksnap.state.SealedJson;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * What is known of one point of a device; without it there is no point. Its fields stand in {@code
 * docs/formats.md}.
 *
 * @param run common to the points of several devices that were taken at one instant
 * @param path of the disk that was backed up
 * @param name of the point: its files are called so
 * @param sequence orders the points of a device, from 1
 * @param generation whose numbers count changes after this point; empty: they are not known
 * @param number later changes have a higher one in that generation
 * @param looked what was read to make it
 * @param readBytes read from the disk
 * @param changedBytes that differ from the point below; of a full one, that are not zeroes
 * @param files what the data file may be: one, or two while {@link Prune} replaces it
 */
public record Manifest(
    UUID id,
    UUID run,
    String device,
    String path,
    String name,
    long sequence,
    Kind kind,
    DataFormat format,
    Compression compression,
    long sizeBytes,
    Optional<UUID> generation,
    int number,
    String consistency,
    Instant takenAt,
    long durationMillis,
    Looked looked,
    long readBytes,
    long changedBytes,
    List<DataFile> files) {
  private static final String RECORD = "blksnap_backup";
  private static final long VERSION = 1;

  /** Of the program; the same as the engine's, which is not needed here. */
  static final String TOOL_VERSION = "1.0.0.0";

  private static final int MAX_FILES = 2;

  /** Whether it needs others. */
  public enum Kind {
    FULL,
    INCREMENT
  }

  /** What its data file is. */
  public enum DataFormat {
    QCOW2,
    RAW
  }

  /** What was looked at to find out what had changed. */
  public enum Looked {
    /** The change map. */
    MAP,
    /** The content of the whole disk, beside that of the point below. */
    CONTENT,
    /** The content of the whole disk. */
    ALL
  }

  /**
   * A data file.
   *
   * @param id in its header
   * @param parent name of the point below
   * @param bytes its length
   * @param storedBytes of it that hold the disk's content
   * @param hashesBytes length of the file of hashes
   * @param hashesSha256 of its header and directory, hexadecimal
   */
  public record DataFile(
      UUID id,
      Optional<String> parent,
      long bytes,
      long storedBytes,
      long hashesBytes,
      String hashesSha256) {}

  public Manifest {
    files = List.copyOf(files);
    if (files.isEmpty() || files.size() > MAX_FILES) {
      throw new IllegalArgumentException(files.size() + " data files of one point");
    }
  }

  /** The one that counts unless the other's id is found in the file. */
  DataFile file() {
    return files.getFirst();
  }

  String dataFile() {
    return name + (format == DataFormat.RAW ? PointNames.RAW : PointNames.QCOW2);
  }

  Manifest withFiles(List<DataFile> others) {
    boolean full = others.getLast().parent.isEmpty();
    return with(full ? Kind.FULL : Kind.INCREMENT, durationMillis, others);
  }

  Manifest lasting(Duration duration) {
    return with(kind, duration.toMillis(), files);
  }

  private Manifest with(Kind otherKind, long otherDurationMillis, List<DataFile> others) {
    return new Manifest(
        id,
        run,
        device,
        path,
        name,
        sequence,
        otherKind,
        format,
        compression,
        sizeBytes,
        generation,
        number,
        consistency,
        takenAt,
        otherDurationMillis,
        looked,
        readBytes,
        changedBytes,
        others);
  }

  /** Names of its files but for the manifest, in the order in which they are published. */
  List<String> content() {
    return List.of(PointNames.hashes(name, file().id()), dataFile());
  }

  byte[] encode() {
    var fields =
        new Fields()
            .put("version", VERSION)
            .put("tool", "blksnap")
            .put("tool_version", TOOL_VERSION)
            .put("id", id.toString())
            .put("run", run.toString())
            .put("device", device)
            .put("path", path)
            .put("point", name)
            .put("sequence", sequence)
            .put("kind", word(kind))
            .put("format", word(format))
            .put("compression", word(compression))
            .put("size", sizeBytes);
    generation.ifPresent(value -> fields.put("generation", value.toString()));
    fields
        .put("number", number)
        .put("consistency", consistency)
        .put("taken_at", takenAt.toString())
        .put("duration_ms", durationMillis)
        .put("looked_at", word(looked))
        .put("read", readBytes)
        .put("changed", changedBytes)
        .put("files", files.stream().map(Manifest::encode).toList());
    return SealedJson.write(RECORD, fields);
  }

  private static Fields encode(DataFile file) {
    var fields = new Fields().put("id", file.id.toString());
    file.parent.ifPresent(parent -> fields.put("parent", parent));
    return fields
        .put("bytes", file.bytes)
        .put("stored", file.storedBytes)
        .put("hashes_bytes", file.hashesBytes)
        .put("hashes_sha256", file.hashesSha256);
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(java.util.Locale.ROOT);
  }

  /**
   * Reads a manifest and judges every value.
   *
   * @param device whose files it lies among
   * @param point after which its file is called
   * @throws BlkSnapException {@code EBADMSG} with what is wrong with it
   */
  static Manifest decode(byte[] text, String device, String point, String file)
      throws BlkSnapException {
    Fields fields = SealedJson.read(RECORD, text, file);
    if (fields.number("version") != VERSION) {
      throw bad(file, "is of version " + fields.number("version") + ", not " + VERSION);
    }
    if (!fields.text("device").equals(device) || !fields.text("point").equals(point)) {
      throw bad(
          file, "is of point " + fields.text("point") + " of device " + fields.text("device"));
    }
    try {
      var files = new ArrayList<DataFile>();
      for (Fields one : fields.list("files")) {
        files.add(decodeFile(one, file));
      }
      return new Manifest(
          fields.uuid("id"),
          fields.uuid("run"),
          device,
          fields.text("path"),
          point,
          fields.number("sequence"),
          fields.word("kind", Kind.class),
          fields.word("format", DataFormat.class),
          fields.word("compression", Compression.class),
          positive(fields.number("size"), file),
          fields.has("generation") ? Optional.of(fields.uuid("generation")) : Optional.empty(),
          fields.smallNumber("number"),
          fields.text("consistency"),
          Instant.parse(fields.text("taken_at")),
          fields.number("duration_ms"),
          fields.word("looked_at", Looked.class),
          fields.number("read"),
          fields.number("changed"),
          files);
    } catch (DateTimeException | IllegalArgumentException e) {
      throw new BlkSnapException(Errno.EBADMSG, file + " is no manifest: " + e.getMessage(), e);
    }
  }

  private static DataFile decodeFile(Fields fields, String file) throws BlkSnapException {
    Optional<String> parent =
        fields.has("parent") ? Optional.of(fields.text("parent")) : Optional.empty();
    if (parent.isPresent() && !PointNames.isPoint(parent.get())) {
      throw bad(file, "names '" + parent.get() + "' as the point below");
    }
    return new DataFile(
        fields.uuid("id"),
        parent,
        positive(fields.number("bytes"), file),
        fields.number("stored"),
        positive(fields.number("hashes_bytes"), file),
        fields.text("hashes_sha256"));
  }

  private static long positive(long value, String file) throws BlkSnapException {
    if (value <= 0) {
      throw bad(file, "has a size of " + value);
    }
    return value;
  }

  private static BlkSnapException bad(String file, String what) {
    return new BlkSnapException(Errno.EBADMSG, file + " " + what);
  }
}
