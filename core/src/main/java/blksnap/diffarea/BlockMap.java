package blksnap.diffarea;

import blksnap.diffstorage.Location;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Which 4 KiB blocks are held, where, and with what checksum. Blocks are kept in groups of 64: two
 * bit masks and 12 bytes for each stored block, so that memory grows with what is held: 13 bytes a
 * block where writes are dense, under 80 where every block is alone. Blocks of zeroes cost a bit.
 *
 * <p>Safe from many threads; each call sees a group whole. Groups are spread over {@value #STRIPES}
 * tables with a lock each.
 */
final class BlockMap {
  /** Blocks in a group. */
  static final int GROUP_BLOCKS = 64;

  /** log2 of {@link #GROUP_BLOCKS}. */
  static final int GROUP_SHIFT = 6;

  /** Not held; what {@link #find} answers. */
  static final long ABSENT = -2;

  private static final int STRIPES = 64;
  private static final int INTS_PER_BLOCK = 3;

  /** Gets every held block. */
  interface Visitor {
    void visit(long block, long location, int checksum);
  }

  private final Stripe[] stripes = new Stripe[STRIPES];
  private final AtomicLong storedBlocks = new AtomicLong();
  private final AtomicLong zeroBlocks = new AtomicLong();

  /** What is held once is held for good. */
  private volatile boolean empty = true;

  BlockMap() {
    Arrays.setAll(stripes, i -> new Stripe());
  }

  private Stripe stripe(long group) {
    return stripes[(int) (mix(group) >>> 58)];
  }

  private static long mix(long group) {
    return (group + 1) * 0x9E37_79B9_7F4A_7C15L;
  }

  /** Which blocks of a group are held, a bit a block, lowest first. */
  long held(long group) {
    return stripe(group).held(group);
  }

  boolean holds(long block) {
    return (held(block >>> GROUP_SHIFT) >>> (block & (GROUP_BLOCKS - 1)) & 1) != 0;
  }

  /**
   * Where the blocks {@code [first, first + count)}, all of one group, are: fills the elements from
   * {@code at} on that are {@link #ABSENT} and that are held here; the others stay.
   *
   * @return how many of them are still absent
   */
  int find(long first, int count, long[] locations, int[] checksums, int at) {
    return stripe(first >>> GROUP_SHIFT).find(first, count, locations, checksums, at);
  }

  /**
   * Holds a block; replaces what was held for it.
   *
   * @return where it was held before, or {@link #ABSENT}
   */
  long put(long block, long location, int checksum) {
    long old = stripe(block >>> GROUP_SHIFT).put(block, location, checksum);
    if (old == ABSENT || (old == Location.ZEROES) != (location == Location.ZEROES)) {
      count(old, -1);
      count(location, 1);
    }
    if (empty) {
      empty = false;
    }
    return old;
  }

  private void count(long location, int change) {
    if (location == Location.ZEROES) {
      zeroBlocks.addAndGet(change);
    } else if (location != ABSENT) {
      storedBlocks.addAndGet(change);
    }
  }

  /** Blocks that take storage. */
  long storedBlocks() {
    return storedBlocks.get();
  }

  /** Blocks that are held as zeroes and take none. */
  long zeroBlocks() {
    return zeroBlocks.get();
  }

  /** Whether nothing is held; what is being put may not count yet. */
  boolean isEmpty() {
    return empty;
  }

  /**
   * Visits every block held; what is put meanwhile may be missed. Each group is visited outside its
   * lock.
   */
  void forEach(Visitor visitor) {
    for (Stripe stripe : stripes) {
      for (long group : stripe.groups()) {
        long[] locations = new long[GROUP_BLOCKS];
        int[] checksums = new int[GROUP_BLOCKS];
        Arrays.fill(locations, ABSENT);
        long first = group << GROUP_SHIFT;
        stripe.find(first, GROUP_BLOCKS, locations, checksums, 0);
        for (int i = 0; i < GROUP_BLOCKS; i++) {
          if (locations[i] != ABSENT) {
            visitor.visit(first + i, locations[i], checksums[i]);
          }
        }
      }
    }
  }

  /** How many chunks of {@code 1 << chunkBlockShift} blocks hold at least one block. */
  long chunksTouched(int chunkBlockShift) {
    long touched = 0;
    for (Stripe stripe : stripes) {
      touched += stripe.chunksTouched(chunkBlockShift, this);
    }
    return touched;
  }

  /** One open-addressing table. */
  private static final class Stripe {
    private static final int FIRST_SLOTS = 4;

    private final ReentrantLock lock = new ReentrantLock();

    /** Group number plus 1; 0 is a free slot. A power of two long; groups are never taken out. */
    @GuardedBy("lock")
    private long[] keys = new long[FIRST_SLOTS];

    @GuardedBy("lock")
    private long[] held = new long[FIRST_SLOTS];

    /** Those of the held that are not zeroes. */
    @GuardedBy("lock")
    private long[] stored = new long[FIRST_SLOTS];

    /** For each stored block in order: location high, location low, checksum. */
    @GuardedBy("lock")
    private int[] @Nullable [] payloads = new int[FIRST_SLOTS][];

    @GuardedBy("lock")
    private int used;

    long held(long group) {
      lock.lock();
      try {
        int slot = slot(keys, group);
        return keys[slot] == 0 ? 0 : held[slot];
      } finally {
        lock.unlock();
      }
    }

    private static int slot(long[] keys, long group) {
      int mask = keys.length - 1;
      int slot = (int) (mix(group) >>> 26) & mask;
      while (keys[slot] != 0 && keys[slot] != group + 1) {
        slot = (slot + 1) & mask;
      }
      return slot;
    }

    int find(long first, int count, long[] locations, int[] checksums, int at) {
      lock.lock();
      try {
        int slot = slot(keys, first >>> GROUP_SHIFT);
        int absent = 0;
        for (int i = 0; i < count; i++) {
          if (locations[at + i] == ABSENT
              && (keys[slot] == 0 || !take(slot, first + i, locations, checksums, at + i))) {
            absent++;
          }
        }
        return absent;
      } finally {
        lock.unlock();
      }
    }

    @GuardedBy("lock")
    private boolean take(int slot, long block, long[] locations, int[] checksums, int at) {
      long bit = 1L << (block & (GROUP_BLOCKS - 1));
      if ((held[slot] & bit) == 0) {
        return false;
      }
      int[] payload = payloads[slot];
      if ((stored[slot] & bit) == 0 || payload == null) {
        locations[at] = Location.ZEROES;
        return true;
      }
      int entry = Long.bitCount(stored[slot] & (bit - 1)) * INTS_PER_BLOCK;
      locations[at] = (long) payload[entry] << 32 | (payload[entry + 1] & 0xffff_ffffL);
      checksums[at] = payload[entry + 2];
      return true;
    }

    long put(long block, long location, int checksum) {
      lock.lock();
      try {
        int slot = claim(block >>> GROUP_SHIFT);
        long bit = 1L << (block & (GROUP_BLOCKS - 1));
        long[] old = {ABSENT};
        take(slot, block, old, new int[1], 0);
        held[slot] |= bit;
        int entry = Long.bitCount(stored[slot] & (bit - 1)) * INTS_PER_BLOCK;
        boolean wasStored = (stored[slot] & bit) != 0;
        if (location == Location.ZEROES) {
          if (wasStored) {
            removeEntry(slot, entry);
            stored[slot] &= ~bit;
          }
        } else {
          int[] payload = wasStored ? payloads[slot] : insertEntry(slot, entry);
          if (payload == null) {
            throw new AssertionError("group without its entries");
          }
          payload[entry] = (int) (location >>> 32);
          payload[entry + 1] = (int) location;
          payload[entry + 2] = checksum;
          stored[slot] |= bit;
        }
        return old[0];
      } finally {
        lock.unlock();
      }
    }

    @GuardedBy("lock")
    private int claim(long group) {
      int slot = slot(keys, group);
      if (keys[slot] != 0) {
        return slot;
      }
      if ((used + 1) * 4 > keys.length * 3) {
        grow();
        slot = slot(keys, group);
      }
      keys[slot] = group + 1;
      used++;
      return slot;
    }

    @GuardedBy("lock")
    private void grow() {
      int slots = keys.length * 2;
      long[] newKeys = new long[slots];
      long[] newHeld = new long[slots];
      long[] newStored = new long[slots];
      int[][] newPayloads = new int[slots][];
      for (int i = 0; i < keys.length; i++) {
        if (keys[i] != 0) {
          int slot = slot(newKeys, keys[i] - 1);
          newKeys[slot] = keys[i];
          newHeld[slot] = held[i];
          newStored[slot] = stored[i];
          newPayloads[slot] = payloads[i];
        }
      }
      keys = newKeys;
      held = newHeld;
      stored = newStored;
      payloads = newPayloads;
    }

    /** Makes room for an entry; room doubles, as most groups end with one entry or with all. */
    @GuardedBy("lock")
    private int[] insertEntry(int slot, int entry) {
      int[] payload = payloads[slot];
      int length = Long.bitCount(stored[slot]) * INTS_PER_BLOCK;
      if (payload == null) {
        payload = new int[INTS_PER_BLOCK];
      } else if (payload.length == length) {
        payload = Arrays.copyOf(payload, length * 2);
      }
      System.arraycopy(payload, entry, payload, entry + INTS_PER_BLOCK, length - entry);
      payloads[slot] = payload;
      return payload;
    }

    @GuardedBy("lock")
    private void removeEntry(int slot, int entry) {
      int[] payload = payloads[slot];
      if (payload != null) {
        int length = Long.bitCount(stored[slot]) * INTS_PER_BLOCK;
        System.arraycopy(
            payload, entry + INTS_PER_BLOCK, payload, entry, length - entry - INTS_PER_BLOCK);
      }
    }

    long[] groups() {
      lock.lock();
      try {
        return Arrays.stream(keys).filter(key -> key != 0).map(key -> key - 1).toArray();
      } finally {
        lock.unlock();
      }
    }

    long chunksTouched(int chunkBlockShift, BlockMap map) {
      long touched = 0;
      for (long group : groups()) {
        if (chunkBlockShift > GROUP_SHIFT) {
          touched += isFirstOfChunk(group, chunkBlockShift - GROUP_SHIFT, map) ? 1 : 0;
        } else {
          int blocks = 1 << chunkBlockShift;
          long mask = blocks == GROUP_BLOCKS ? -1L : (1L << blocks) - 1;
          long heldHere = held(group);
          for (int i = 0; i < GROUP_BLOCKS; i += blocks) {
            touched += (heldHere >>> i & mask) != 0 ? 1 : 0;
          }
        }
      }
      return touched;
    }

    /** Counts a chunk of several groups once: at its lowest group that holds anything. */
    private static boolean isFirstOfChunk(long group, int chunkGroupShift, BlockMap map) {
      for (long g = group >>> chunkGroupShift << chunkGroupShift; g < group; g++) {
        if (map.held(g) != 0) {
          return false;
        }
      }
      return true;
    }
  }
}
