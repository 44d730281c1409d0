package blksnap.cli.live;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * A device's change map as cells of equal size: how much of each changed, and how lately.
 *
 * @param device its name
 * @param blockBytes bytes in a block of the map
 * @param sizeBytes of the device
 * @param cells ascending, without gaps
 * @param bytesByAge bytes that changed, of every {@link Age}
 */
public record ChangeGrid(
    String device, long blockBytes, long sizeBytes, List<Cell> cells, Map<Age, Long> bytesByAge) {
  /** How lately a block changed. */
  public enum Age {
    NEWEST("since the last take"),
    RECENT("in the interval before the last take"),
    OLD("in the two intervals before"),
    OLDEST("before that");

    private final String words;

    Age(String words) {
      this.words = words;
    }

    public String words() {
      return words;
    }

    /**
     * @param intervals from the one that is open now back to the one of the change
     */
    static Age of(int intervals) {
      return switch (intervals) {
        case 0 -> NEWEST;
        case 1 -> RECENT;
        case 2, 3 -> OLD;
        default -> OLDEST;
      };
    }
  }

  /**
   * A range of the device.
   *
   * @param changed bytes of it that changed
   * @param newest how many intervals ago the last change was; empty when nothing changed
   */
  public record Cell(long offset, long length, long changed, OptionalInt newest) {
    /** From 0, nothing, to {@code levels}, nearly all. */
    int level(int levels) {
      return (int) Math.min(levels, Math.ceilDiv(changed * levels, length));
    }
  }

  public ChangeGrid {
    cells = List.copyOf(cells);
    bytesByAge = Map.copyOf(bytesByAge);
  }

  /**
   * Draws the map.
   *
   * @param map one byte a block: the number of the interval that changed it last, 0 for none
   * @param wanted the blocks that count
   * @param active number of the interval that is open now
   * @param most cells there may be
   */
  public static ChangeGrid of(
      String device,
      long blockBytes,
      long sizeBytes,
      byte[] map,
      BitSet wanted,
      int active,
      int most) {
    int count = Math.min(most, map.length);
    var cells = new ArrayList<Cell>();
    var byAge = new EnumMap<Age, Long>(Age.class);
    for (Age age : Age.values()) {
      byAge.put(age, 0L);
    }
    for (int cell = 0; cell < count; cell++) {
      int first = (int) ((long) map.length * cell / count);
      int end = (int) ((long) map.length * (cell + 1) / count);
      long changed = 0;
      int newest = Integer.MAX_VALUE;
      for (int block = wanted.nextSetBit(first);
          block >= 0 && block < end;
          block = wanted.nextSetBit(block + 1)) {
        int number = Byte.toUnsignedInt(map[block]);
        if (number > 0) {
          long bytes = length(block, block + 1, blockBytes, sizeBytes);
          int intervals = Math.max(0, active - number);
          changed += bytes;
          newest = Math.min(newest, intervals);
          byAge.merge(Age.of(intervals), bytes, Long::sum);
        }
      }
      cells.add(
          new Cell(
              first * blockBytes,
              length(first, end, blockBytes, sizeBytes),
              changed,
              changed == 0 ? OptionalInt.empty() : OptionalInt.of(newest)));
    }
    return new ChangeGrid(device, blockBytes, sizeBytes, cells, byAge);
  }

  /** The last block may be short. */
  private static long length(long first, long end, long blockBytes, long sizeBytes) {
    return Math.max(1, Math.min(end * blockBytes, sizeBytes) - first * blockBytes);
  }

  /** Bytes of the device whose last change is so long ago. */
  long bytes(Age age) {
    return bytesByAge.getOrDefault(age, 0L);
  }

  public long changedBytes() {
    return bytesByAge.values().stream().mapToLong(bytes -> bytes).sum();
  }
}
