package blksnap.param;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.NearMiss;
import java.util.Arrays;
import java.util.List;

/**
 * The seven parameters of the kernel module, with their names, defaults and meanings, and one of
 * our own. A value outside its range is refused with {@code EINVAL}, never clamped.
 */
public enum Parameter {
  TRACKING_BLOCK_MINIMUM_SHIFT(
      "tracking_block_minimum_shift",
      16,
      9,
      30,
      "log2 of the bytes in the smallest block of a change map",
      "maps made from then on; existing maps keep their block size"),
  TRACKING_BLOCK_MAXIMUM_COUNT(
      "tracking_block_maximum_count",
      2_097_152,
      1,
      1 << 28,
      "most blocks in one change map; larger devices get larger blocks",
      "maps made from then on; existing maps keep their block size"),
  CHUNK_MINIMUM_SHIFT(
      "chunk_minimum_shift",
      18,
      12,
      30,
      "log2 of the bytes in the smallest chunk of a diff area",
      "the next snapshot take"),
  CHUNK_MAXIMUM_COUNT(
      "chunk_maximum_count",
      2_097_152,
      1,
      Integer.MAX_VALUE,
      "most chunks in one diff area; larger devices get larger chunks",
      "the next snapshot take"),
  CHUNK_MAXIMUM_IN_CACHE(
      "chunk_maximum_in_cache",
      32,
      0,
      65_536,
      "most chunks that an image keeps in memory",
      "the next chunk that enters a cache"),
  FREE_DIFF_BUFFER_POOL_SIZE(
      "free_diff_buffer_pool_size",
      128,
      0,
      65_536,
      "most free copy buffers of one size that are kept",
      "the next buffer that is given back"),
  DIFF_STORAGE_MINIMUM(
      "diff_storage_minimum",
      2_097_152,
      2_048,
      1L << 33,
      "sectors by which diff storage grows, and asked for when space is low",
      "the next growth or space check"),
  WRITE_INTENT_REGION_SHIFT(
      "write_intent_region_shift",
      24,
      16,
      34,
      "log2 of the bytes that count as changed after a power loss for each place in use",
      "the next attach of a device that was closed in order");

  private final String key;
  private final long defaultValue;
  private final long minimum;
  private final long maximum;
  private final String description;
  private final String takesEffect;

  Parameter(
      String key,
      long defaultValue,
      long minimum,
      long maximum,
      String description,
      String takesEffect) {
    this.key = key;
    this.defaultValue = defaultValue;
    this.minimum = minimum;
    this.maximum = maximum;
    this.description = description;
    this.takesEffect = takesEffect;
  }

  /** The name as a user types it. */
  public String key() {
    return key;
  }

  public long defaultValue() {
    return defaultValue;
  }

  /** The least value, inclusive. */
  public long minimum() {
    return minimum;
  }

  /** The greatest value, inclusive. */
  public long maximum() {
    return maximum;
  }

  public String description() {
    return description;
  }

  /** When a change at run time bites. */
  public String takesEffect() {
    return takesEffect;
  }

  /**
   * The parameter with this name.
   *
   * @throws BlkSnapException {@code ENOENT} when there is none
   */
  public static Parameter named(String key) throws BlkSnapException {
    for (Parameter parameter : values()) {
      if (parameter.key.equals(key)) {
        return parameter;
      }
    }
    throw new BlkSnapException(Errno.ENOENT, "there is no parameter '" + key + "'")
        .withHint(
            NearMiss.hint(key, keys())
                .orElseGet(() -> "the parameters are " + String.join(", ", keys())));
  }

  private static List<String> keys() {
    return Arrays.stream(values()).map(Parameter::key).toList();
  }

  /**
   * The number in {@code text}, decimal, within the range.
   *
   * @throws BlkSnapException {@code EINVAL} when it is not a whole number or outside the range
   */
  public long parse(String text) throws BlkSnapException {
    long value;
    try {
      value = Long.parseLong(text.strip());
    } catch (NumberFormatException e) {
      throw new BlkSnapException(
          Errno.EINVAL, key + " takes a whole number from " + range() + ", not '" + text + "'", e);
    }
    if (value < minimum || value > maximum) {
      throw new BlkSnapException(
          Errno.EINVAL, key + " takes a whole number from " + range() + ", not " + value);
    }
    return value;
  }

  private String range() {
    return minimum + " to " + maximum;
  }
}
