package blksnap.cli.live;

import blksnap.status.StatusNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * The counters of all devices and images at one moment, read from the status tree.
 *
 * @param nanos when, of {@link System#nanoTime}
 * @param counters by name, in the order of names
 */
public record TopSample(long nanos, Map<String, Counters> counters) {
  /**
   * Of one device or image since it was opened.
   *
   * @param copied blocks stored for images
   * @param left bytes of storage; of a device the least of its snapshots
   * @param fullInSeconds at the present rate; of a device the soonest of its snapshots
   */
  record Counters(
      boolean image,
      long reads,
      long readBytes,
      long writes,
      long writeBytes,
      long others,
      LatencyText latency,
      long copied,
      OptionalLong left,
      OptionalLong fullInSeconds) {}

  private static final char IMAGE_SIGN = '@';

  /**
   * @param block the directory {@code /sys/block}
   * @param snapshots the directory {@code /sys/fs/blksnap}
   */
  public static TopSample of(long nanos, StatusNode block, StatusNode snapshots) {
    Map<String, Storage> storages = new HashMap<>();
    for (StatusNode snapshot : entries(snapshots)) {
      find(snapshot, "storage").ifPresent(node -> storages.put(snapshot.name(), Storage.of(node)));
    }
    var counters = new TreeMap<String, Counters>();
    for (StatusNode node : entries(block)) {
      counters.put(node.name(), counters(node, storages, entries(block)));
    }
    return new TopSample(nanos, counters);
  }

  private record Storage(OptionalLong left, OptionalLong fullInSeconds) {
    static final Storage NONE = new Storage(OptionalLong.empty(), OptionalLong.empty());

    static Storage of(StatusNode node) {
      return new Storage(number(value(node, "free")), number(value(node, "full_in_s")));
    }

    Storage worst(Storage other) {
      return new Storage(least(left, other.left), least(fullInSeconds, other.fullInSeconds));
    }

    private static OptionalLong least(OptionalLong one, OptionalLong other) {
      if (one.isEmpty() || other.isEmpty()) {
        return one.isEmpty() ? other : one;
      }
      return OptionalLong.of(Math.min(one.getAsLong(), other.getAsLong()));
    }
  }

  private static Counters counters(
      StatusNode node, Map<String, Storage> storages, List<StatusNode> all) {
    int sign = node.name().indexOf(IMAGE_SIGN);
    List<StatusNode> images = new ArrayList<>();
    if (sign >= 0) {
      images.add(node);
    } else {
      String start = node.name() + IMAGE_SIGN;
      all.stream().filter(other -> other.name().startsWith(start)).forEach(images::add);
    }
    long copied = 0;
    Storage storage = Storage.NONE;
    for (StatusNode image : images) {
      copied += number(value(image, "blocks_stored")).orElse(0);
      String snapshot = image.name().substring(image.name().indexOf(IMAGE_SIGN) + 1);
      storage = storage.worst(storages.getOrDefault(snapshot, Storage.NONE));
    }
    Map<String, Long> stat = stat(value(node, "stat"));
    return new Counters(
        sign >= 0,
        stat.getOrDefault("reads", 0L),
        stat.getOrDefault("read_bytes", 0L),
        stat.getOrDefault("writes", 0L),
        stat.getOrDefault("write_bytes", 0L),
        stat.getOrDefault("discards", 0L) + stat.getOrDefault("flushes", 0L),
        LatencyText.parse(value(node, "latency")),
        copied,
        storage.left(),
        storage.fullInSeconds());
  }

  private static Map<String, Long> stat(String line) {
    var values = new HashMap<String, Long>();
    for (String word : line.split(" ", -1)) {
      int equals = word.indexOf('=');
      OptionalLong number = number(word.substring(equals + 1));
      if (equals > 0 && number.isPresent()) {
        values.put(word.substring(0, equals), number.getAsLong());
      }
    }
    return values;
  }

  private static List<StatusNode> entries(StatusNode node) {
    return node instanceof StatusNode.Directory(_, var entries) ? entries : List.of();
  }

  private static Optional<StatusNode> find(StatusNode node, String name) {
    return entries(node).stream().filter(entry -> entry.name().equals(name)).findFirst();
  }

  private static String value(StatusNode node, String name) {
    return find(node, name).orElse(null) instanceof StatusNode.Attribute attribute
        ? attribute.value()
        : "";
  }

  private static OptionalLong number(String text) {
    try {
      return OptionalLong.of(Long.parseLong(text));
    } catch (NumberFormatException _) {
      return OptionalLong.empty(); // empty, or an errno in brackets
    }
  }
}
