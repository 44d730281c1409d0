package blksnap.fuzz;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.zip.CRC32C;

/**
 * Damages the files of a {@link DiskWorld}: what a disk, a wrong copy or a hostile hand may do to
 * them. Half of it mends the checksums afterwards, so that only the judging of values is left.
 */
final class DiskMutator {
  private static final long[] NUMBERS = {
    0,
    1,
    2,
    3,
    9,
    12,
    40,
    63,
    64,
    255,
    256,
    4095,
    4096,
    32767,
    65535,
    65536,
    Integer.MAX_VALUE,
    1L << 31,
    1L << 40,
    1L << 48,
    1L << 52,
    Long.MAX_VALUE - 1,
    Long.MAX_VALUE,
    -1,
    -2,
    -4096,
    Integer.MIN_VALUE,
    Long.MIN_VALUE
  };

  private static final String[] TEXTS = {
    "",
    "/",
    "..",
    "../../one.diff",
    "relative",
    "/dev/null",
    "/nonexistent/x",
    "\0",
    "a\0b",
    "a",
    "b",
    "taken",
    "power",
    "00000000-0000-0000-0000-000000000000",
    "x".repeat(5000),
    "one",
    "-1",
    "1e99",
    "true",
    "9999-12-31T23:59:59Z"
  };

  private static final long SPARSE_BYTES = 64L << 20;
  private static final int RECORD_TEXT = 16;

  private final DiskWorld world;
  private final Random random;
  private final List<String> done = new ArrayList<>();
  private boolean imagesMayDiffer;
  private boolean changesMayDiffer;

  DiskMutator(DiskWorld world, Random random) {
    this.world = world;
    this.random = random;
  }

  /** What was done, for the message of a failure. */
  String story() {
    return String.join("; ", done);
  }

  /** Whether a device may stay away: its record is damaged, or a directory is in a file's place. */
  boolean refusesDevice(String device) {
    String home = "state/devices/" + device + "/";
    return done.stream()
        .anyMatch(one ->
            one.contains(home + "device")
                || one.contains(home + "intent: a directory")
                || one.contains(home + "cbt: a directory"));
  }

  /** Whether devices may refuse writes: a record says, in due form, that its one is read-only. */
  boolean writesMayBeRefused() {
    return done.stream().anyMatch(one -> one.endsWith("/device: read_only is true"));
  }

  /** Whether a well-formed lie was told that no checksum can find out. */
  boolean imagesMayDiffer() {
    return imagesMayDiffer;
  }

  /** Whether the bytes of a map were changed, which have no checksum, or numbers of it lie. */
  boolean changesMayDiffer() {
    return changesMayDiffer;
  }

  void mutate() throws IOException {
    int count = random.nextInt(4) == 0 ? 2 + random.nextInt(3) : 1;
    for (int i = 0; i < count; i++) {
      List<Path> files = world.files();
      Path file = files.get(random.nextInt(files.size()));
      if (random.nextBoolean()) {
        reseal(file);
      } else {
        damage(file, files);
      }
    }
  }

  private void note(Path file, String what) {
    done.add(world.directory().relativize(file) + ": " + what);
  }

  private static boolean isMap(Path file) {
    String name = String.valueOf(file.getFileName());
    return name.equals("cbt") || name.equals("frozen");
  }

  private void damage(Path file, List<Path> files) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    int size = bytes.length;
    int at =
        size == 0
            ? 0
            : random.nextBoolean() ? random.nextInt(size) : random.nextInt(Math.min(size, 200));
    switch (random.nextInt(12)) {
      case 0, 1, 2 -> {
        int flips = 1 + random.nextInt(8);
        for (int i = 0; i < flips && size > 0; i++) {
          int where = Math.min(size - 1, at + random.nextInt(64));
          bytes[where] ^= (byte) (1 << random.nextInt(8));
          touched(file, where);
        }
        note(file, flips + " bits flipped from " + at);
        Files.write(file, bytes);
      }
      case 3, 4 -> {
        int end = Math.min(size, at + 1 + random.nextInt(random.nextBoolean() ? 64 : 8192));
        Arrays.fill(bytes, at, end, random.nextBoolean() ? 0 : (byte) random.nextInt());
        touched(file, end - 1);
        note(file, "bytes " + at + " to " + end + " filled");
        Files.write(file, bytes);
      }
      case 5 -> {
        note(file, "cut to " + at);
        Files.write(file, Arrays.copyOf(bytes, at));
      }
      case 6 -> {
        note(file, "longer");
        Files.write(file, Arrays.copyOf(bytes, size + 1 + random.nextInt(8192)));
      }
      case 7 -> {
        note(file, "sparse");
        try (var handle = new RandomAccessFile(file.toFile(), "rw")) {
          handle.setLength(SPARSE_BYTES);
        }
      }
      case 8 -> {
        note(file, "removed");
        Files.delete(file);
      }
      case 9 -> {
        note(file, "a directory");
        Files.delete(file);
        Files.createDirectory(file);
        if (random.nextBoolean()) {
          Files.write(file.resolve("x"), bytes);
        }
      }
      case 10 -> exchange(file, bytes, files);
      default -> {
        Optional<Path> older = world.older(file);
        if (older.isPresent()) {
          note(file, "as it was");
          Files.write(file, Files.readAllBytes(older.get()));
          imagesMayDiffer |= file.toString().endsWith(".map");
          changesMayDiffer |= isMap(file);
        } else {
          note(file, "a link");
          Files.delete(file);
          Files.createSymbolicLink(file, world.file("a"));
        }
      }
    }
  }

  private void touched(Path file, int at) {
    changesMayDiffer |= isMap(file) && at >= 2048;
  }

  /** Two files in each other's place, of one kind if there are two. */
  private void exchange(Path file, byte[] bytes, List<Path> files) throws IOException {
    List<Path> same = new ArrayList<>(files);
    if (random.nextInt(4) != 0) {
      same.removeIf(other -> !kind(other).equals(kind(file)));
    }
    Path other = same.get(random.nextInt(same.size()));
    byte[] others = Files.readAllBytes(other);
    note(file, "exchanged with " + world.directory().relativize(other));
    Files.write(file, others);
    Files.write(other, bytes);
  }

  private static String kind(Path file) {
    String name = String.valueOf(file.getFileName());
    return name.endsWith(".map")
        ? "map"
        : name.endsWith(".diff") ? "diff" : name.matches("\\d+") ? "storage" : name;
  }

  private long number() {
    long value = NUMBERS[random.nextInt(NUMBERS.length)];
    return random.nextInt(8) == 0 ? random.nextLong() : value;
  }

  private void reseal(Path file) throws IOException {
    byte[] raw = Files.readAllBytes(file);
    ByteBuffer bytes = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);
    switch (kind(file)) {
      case "device", "snapshot", "storage" -> {
        if (raw.length > RECORD_TEXT) {
          resealRecord(file, raw);
        }
      }
      case "cbt" -> {
        if (raw.length >= 4096) {
          if (random.nextBoolean()) {
            put(file, bytes, 0, pick(4, 20), pick(8, 16));
            changesMayDiffer |= bytes.getInt(16) >= 9; // blocks of another size, in as many bytes
            seal(bytes, 4, 20, 24);
          } else {
            int slot = random.nextBoolean() ? 512 : 1024;
            int field = pick(0, 24, 28, 32);
            put(file, bytes, slot, field == 0 ? -1 : field, field == 0 ? 0 : -1);
            changesMayDiffer |= field == 0;
            seal(bytes, slot, 60, slot + 60);
          }
        }
      }
      case "frozen" -> {
        if (raw.length >= 4096) {
          put(file, bytes, 0, pick(4, 16, 20, 56), pick(8, 24, 40));
          changesMayDiffer = true;
          seal(bytes, 4, 56, 60);
        }
      }
      case "intent" -> {
        if (raw.length >= 24) {
          put(file, bytes, 0, pick(4, 16), 8);
          seal(bytes, 4, 16, 20);
        }
      }
      case "map" -> resealMap(file, bytes);
      case "diff" -> {
        if (raw.length >= 4096) {
          put(file, bytes, 0, pick(4, 24, 28), pick(8, 16));
          seal(bytes, 0, 32, 32);
        }
      }
      default -> note(file, "left alone");
    }
    if (!kind(file).matches("device|snapshot|storage")) {
      Files.write(file, raw);
    }
  }

  private int pick(int... of) {
    return of[random.nextInt(of.length)];
  }

  /** Stores a number into one of two fields, the first an int, the second a long; -1: not there. */
  private long put(Path file, ByteBuffer bytes, int base, int intField, int longField) {
    long value = number();
    if (longField < 0 || (intField >= 0 && random.nextBoolean())) {
      bytes.putInt(base + intField, (int) value);
      note(file, "int at " + (base + intField) + " is " + (int) value);
    } else {
      bytes.putLong(base + longField, value);
      note(file, "long at " + (base + longField) + " is " + value);
    }
    return value;
  }

  static int crc(ByteBuffer bytes, int from, int length) {
    var crc = new CRC32C();
    crc.update(bytes.slice(from, length));
    return (int) crc.getValue();
  }

  private static void seal(ByteBuffer bytes, int from, int length, int at) {
    bytes.putInt(at, crc(bytes, from, length));
  }

  private void resealMap(Path file, ByteBuffer bytes) {
    if (bytes.capacity() < 65536) {
      return;
    }
    if (random.nextInt(4) == 0) {
      put(file, bytes, 0, pick(4, 8, 12, 36), -1);
      seal(bytes, 0, 32, 32);
      return;
    }
    int header = mapHeaderBytes();
    int records = 0;
    while (header + records * 32 + 32 <= bytes.capacity()
        && bytes.getInt(header + records * 32 + 28) != 0) {
      records++;
    }
    if (records == 0) {
      return;
    }
    int record = header + 32 * random.nextInt(records);
    int field = pick(0, 8, 16, 20, 24);
    long value =
        field < 16 ? put(file, bytes, record, -1, field) : put(file, bytes, record, field, -1);
    imagesMayDiffer |=
        switch (field) {
          case 0 -> value >= 0 && value < 64;
          case 8 -> value == -1;
          case 16 -> value > 0 && value < 64;
          case 20 -> value == 1 || value == 2;
          default -> false;
        };
    long area = bytes.getLong(16) ^ bytes.getLong(24);
    int sealed = crc(bytes, record, 28) ^ (int) (area ^ area >>> 32);
    bytes.putInt(record + 28, sealed == 0 ? 1 : sealed);
  }

  private static int mapHeaderBytes() {
    return 48;
  }

  private void resealRecord(Path file, byte[] raw) throws IOException {
    JsonObject object;
    try {
      object =
          JsonParser.parseString(
                  new String(raw, RECORD_TEXT, raw.length - RECORD_TEXT, StandardCharsets.UTF_8))
              .getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) { // it was damaged before
      note(file, "left alone");
      return;
    }
    List<JsonObject> inside = new ArrayList<>(List.of(object));
    for (String list : List.of("parts", "ranges")) {
      if (object.get(list) instanceof JsonArray array) {
        array.forEach(entry -> inside.add(entry.getAsJsonObject()));
      }
    }
    JsonObject chosen = inside.get(random.nextInt(inside.size()));
    List<String> names = new ArrayList<>(chosen.keySet());
    String name = names.get(random.nextInt(names.size()));
    JsonElement old = chosen.get(name);
    if (random.nextInt(6) == 0) {
      chosen.remove(name);
      note(file, name + " removed");
    } else {
      JsonElement value = value();
      chosen.add(name, value);
      note(file, name + " is " + (value.toString().length() > 99 ? "long" : value));
      if (kind(file).equals("snapshot") && sameType(old, value)) {
        imagesMayDiffer = true;
        changesMayDiffer = true;
      }
    }
    byte[] text = object.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(RECORD_TEXT + text.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(raw, 0, RECORD_TEXT).put(text);
    bytes.putInt(8, text.length);
    seal(bytes, RECORD_TEXT, text.length, 12);
    Files.write(file, bytes.array());
  }

  private static boolean sameType(JsonElement a, JsonElement b) {
    return a instanceof JsonPrimitive p
        && b instanceof JsonPrimitive q
        && p.isNumber() == q.isNumber()
        && p.isBoolean() == q.isBoolean();
  }

  private JsonElement value() {
    return switch (random.nextInt(8)) {
      case 0, 1, 2 -> new JsonPrimitive(number());
      case 3, 4 -> new JsonPrimitive(TEXTS[random.nextInt(TEXTS.length)]);
      case 5 -> new JsonPrimitive(random.nextBoolean());
      case 6 -> random.nextBoolean() ? JsonNull.INSTANCE : new JsonPrimitive(1.5);
      default -> random.nextBoolean() ? new JsonObject() : new JsonArray();
    };
  }
}
