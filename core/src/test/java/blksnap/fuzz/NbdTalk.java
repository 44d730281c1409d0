package blksnap.fuzz;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * What one hostile client says: a session that begins as the protocol wants it, and is then
 * mutated. The numbers of the protocol are written out here.
 */
final class NbdTalk {
  static final long IHAVEOPT = 0x49484156454F5054L;
  static final int REQUEST_MAGIC = 0x25609513;
  static final int EXTENDED_MAGIC = 0x21e41c71;
  static final int PAYLOAD_LEN = 32;
  static final int SIZE = 256 << 10;

  private static final int[] LENGTHS = {
    0,
    1,
    511,
    512,
    4096,
    8192,
    16384,
    65536,
    SIZE,
    SIZE + 1,
    32 << 20,
    (32 << 20) + 1,
    64 << 20,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    -1
  };
  private static final long[] OFFSETS = {
    0, 1, 4095, 4096, SIZE - 1, SIZE, SIZE + 1, 1L << 32, Long.MAX_VALUE, Long.MIN_VALUE, -1
  };
  private static final List<String> NAMES =
      List.of("disk", "disk", "disk", "ro", "disk@snap", "none", "", "calm@x", "d\0sk", "\ufffd");

  private final Random random;
  private final List<byte[]> parts = new ArrayList<>();

  /** Whether it means to use extended headers. */
  private boolean extended;

  NbdTalk(Random random) {
    this.random = random;
  }

  private int pick(int... of) {
    return of[random.nextInt(of.length)];
  }

  private boolean rarely() {
    return random.nextInt(12) == 0;
  }

  /** The bytes to send. */
  byte[] bytes() {
    parts.add(
        ByteBuffer.allocate(4)
            .putInt(rarely() ? random.nextInt() : random.nextInt(20) == 0 ? pick(0, 1, 2) : 3)
            .array());
    int options = rarely() ? random.nextInt(300) : random.nextInt(5);
    extended = random.nextInt(3) == 0;
    if (extended || random.nextInt(3) != 0) {
      parts.add(option(extended ? 11 : 8, new byte[0]));
      if (random.nextBoolean()) {
        parts.add(option(10, meta()));
      }
    }
    for (int i = 0; i < options; i++) {
      parts.add(anyOption());
    }
    String name = NAMES.get(random.nextInt(rarely() ? NAMES.size() : 5));
    parts.add(random.nextInt(6) == 0 ? option(1, text(name)) : option(7, info(name)));
    int requests = random.nextInt(16);
    for (int i = 0; i < requests; i++) {
      parts.add(request());
    }
    if (random.nextBoolean()) {
      parts.add(header(0, 2, random.nextLong(), 0, 0, new byte[0]));
    }
    return mutated();
  }

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] option(int number, byte[] data) {
    return ByteBuffer.allocate(16 + data.length)
        .putLong(IHAVEOPT)
        .putInt(number)
        .putInt(data.length)
        .put(data)
        .array();
  }

  private byte[] info(String name) {
    byte[] text = text(name);
    int ids = random.nextInt(4);
    ByteBuffer data = ByteBuffer.allocate(6 + text.length + 2 * ids);
    data.putInt(text.length).put(text).putShort((short) ids);
    for (int i = 0; i < ids; i++) {
      data.putShort((short) random.nextInt(5));
    }
    return data.array();
  }

  private byte[] meta() {
    byte[] name = text(NAMES.get(random.nextInt(NAMES.size())));
    List<String> queries =
        List.of(
            "base:allocation",
            "base:",
            "x:y",
            "",
            "base:allocation",
            "qemu:dirty-bitmap:since-0",
            "qemu:dirty-bitmap:since-snap",
            "qemu:dirty-bitmap:since-9",
            "qemu:",
            "qemu:allocation-depth",
            "blksnap:cbt");
    int count = random.nextInt(4);
    ByteBuffer data = ByteBuffer.allocate(8 + name.length + count * 40);
    data.putInt(name.length).put(name).putInt(count);
    for (int i = 0; i < count; i++) {
      byte[] query = text(queries.get(random.nextInt(queries.size())));
      data.putInt(query.length).put(query);
    }
    return Arrays.copyOf(data.array(), data.position());
  }

  private byte[] anyOption() {
    byte[] data =
        switch (random.nextInt(6)) {
          case 0, 1 -> info(NAMES.get(random.nextInt(NAMES.size())));
          case 2, 3 -> meta();
          case 4 -> new byte[0];
          default -> garbage(random.nextInt(100));
        };
    byte[] whole = option(pick(3, 6, 6, 8, 9, 10, 10, 2, 5, 11, 99, 0, -1), data);
    if (rarely()) {
      ByteBuffer.wrap(whole).putInt(12, pick(LENGTHS));
    }
    if (data.length >= 4 && rarely()) {
      ByteBuffer.wrap(whole).putInt(16, pick(LENGTHS));
    }
    return whole;
  }

  private byte[] garbage(int length) {
    byte[] garbage = new byte[length];
    random.nextBytes(garbage);
    return garbage;
  }

  private byte[] header(
      int flags, int type, long cookie, long offset, long length, byte[] payload) {
    boolean wide = extended ^ random.nextInt(200) == 0;
    ByteBuffer header =
        ByteBuffer.allocate((wide ? 32 : 28) + payload.length)
            .putInt(wide ? EXTENDED_MAGIC : REQUEST_MAGIC)
            .putShort((short) flags)
            .putShort((short) type)
            .putLong(cookie)
            .putLong(offset);
    if (wide) {
      header.putLong(length);
    } else {
      header.putInt((int) length);
    }
    return header.put(payload).array();
  }

  private byte[] request() {
    int type = rarely() ? random.nextInt(70000) : pick(0, 0, 1, 1, 1, 3, 4, 6, 7, 5);
    int flags = rarely() ? random.nextInt(65536) : random.nextInt(4) == 0 ? random.nextInt(32) : 0;
    long length = rarely() ? pick(LENGTHS) : 1 + random.nextInt(12000);
    if (extended && rarely()) {
      length = OFFSETS[random.nextInt(OFFSETS.length)];
    }
    long offset = rarely() ? OFFSETS[random.nextInt(OFFSETS.length)] : random.nextInt(SIZE - 12000);
    if (type == 3 && random.nextInt(4) != 0) {
      offset = 0;
      length = 0;
    }
    byte[] payload = new byte[0];
    if (extended && type == 7 && random.nextInt(3) == 0) {
      payload = filter(length);
      length = payload.length;
      flags |= PAYLOAD_LEN;
    } else if (type == 1 || (extended && (flags & PAYLOAD_LEN) != 0)) {
      payload = new byte[(int) Math.clamp(length, 0L, 80_000L)];
      Arrays.fill(payload, (byte) (1 + random.nextInt(255)));
      flags |= extended && !rarely() ? PAYLOAD_LEN : 0;
    }
    return header(flags, type, random.nextLong(), offset, length, payload);
  }

  /** Contexts that BLOCK_STATUS is to tell of. */
  private byte[] filter(long length) {
    int ids = random.nextInt(4);
    ByteBuffer filter = ByteBuffer.allocate(8 + 4 * ids).putLong(length);
    for (int i = 0; i < ids; i++) {
      filter.putInt(rarely() ? random.nextInt() : 1 + random.nextInt(3));
    }
    return filter.array();
  }

  private byte[] mutated() {
    int mutations = random.nextInt(3) == 0 ? 0 : random.nextInt(4);
    for (int i = 0; i < mutations; i++) {
      int at = random.nextInt(parts.size());
      byte[] part = parts.get(at);
      switch (random.nextInt(8)) {
        case 0 -> parts.add(at, part);
        case 1 -> Collections.swap(parts, at, random.nextInt(parts.size()));
        case 2 -> {
          if (parts.size() > 1) {
            parts.remove(at);
          }
        }
        case 3 -> parts.set(at, Arrays.copyOf(part, random.nextInt(part.length + 1)));
        case 4 -> parts.add(at, garbage(random.nextInt(64)));
        default -> {
          byte[] flipped = part.clone();
          if (flipped.length > 0) {
            int where = random.nextInt(Math.min(flipped.length, 40));
            flipped[where] ^= (byte) (1 << random.nextInt(8));
          }
          parts.set(at, flipped);
        }
      }
    }
    var all = new ByteArrayOutputStream();
    parts.forEach(all::writeBytes);
    byte[] whole = all.toByteArray();
    return random.nextInt(4) == 0 ? Arrays.copyOf(whole, random.nextInt(whole.length + 1)) : whole;
  }
}
