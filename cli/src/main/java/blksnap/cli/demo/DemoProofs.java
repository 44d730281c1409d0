package blksnap.cli.demo;

import blksnap.cli.output.HumanSize;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbdclient.NbdClient;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What a run proves, and tells, while its writers go on. A proof that fails is thrown; so is one
 * that would hold because nothing happened.
 */
final class DemoProofs {
  private static final String SNAPSHOTS = "snapshots";

  /**
   * A snapshot that was proven.
   *
   * @param checksums of the image of each disk
   */
  record Taken(String name, List<String> checksums) {
    Taken {
      checksums = List.copyOf(checksums);
    }
  }

  private final DemoEngine engine;
  private final List<StampWriter> writers;
  private final Story story;
  private final JsonObject summary;

  /**
   * @param summary takes the figures of each proof
   */
  DemoProofs(DemoEngine engine, List<StampWriter> writers, Story story, JsonObject summary) {
    this.engine = engine;
    this.writers = List.copyOf(writers);
    this.story = story;
    this.summary = summary;
    summary.add(SNAPSHOTS, new JsonArray());
  }

  /**
   * Proves that the images of a snapshot are all disks at one moment.
   *
   * @param askedNanos when it was asked for
   * @param answeredNanos when that was answered
   */
  Taken moment(String name, long askedNanos, long answeredNanos, long pauseMicros)
      throws IOException, InterruptedException {
    var check = new MomentCheck("snapshot " + name, askedNanos, answeredNanos);
    var checksums = new ArrayList<String>();
    long stored = 0;
    for (StampWriter writer : writers) {
      String image = writer.disk().name() + "@" + name;
      story.command("nbdcopy", engine.uri(image), image + ".copy");
      checksums.add(compare(check, writer, image));
      stored += engine.number("/sys/block/" + image + "/blocks_stored");
    }
    if (check.rewrittenBlocks() == 0 || check.hiddenBlocks() == 0) {
      String counts = check.rewrittenBlocks() + " blocks before it, and " + check.hiddenBlocks();
      throw notProven("the writers wrote " + counts + " after it: that shows nothing of " + name);
    }
    story.fact(
        "proven: all %s blocks of both images show one moment, known to within %s us"
            .formatted(Story.count(check.blocks()), Story.count(check.windowMicros())));
    story.fact(
        "%s blocks show their last write before it; %s have newer data on the disks, none is shown"
            .formatted(Story.count(check.rewrittenBlocks()), Story.count(check.hiddenBlocks())));
    String size = HumanSize.of(stored * Stamp.BYTES);
    story.fact(Story.count(stored) + " old blocks (" + size + ") are stored");
    var entry = new JsonObject();
    entry.addProperty("name", name);
    entry.addProperty("take_pause_us", pauseMicros);
    entry.addProperty("moment_known_to_us", check.windowMicros());
    entry.addProperty("blocks_compared", check.blocks());
    entry.addProperty("blocks_written_before", check.rewrittenBlocks());
    entry.addProperty("blocks_written_after", check.hiddenBlocks());
    entry.addProperty("blocks_stored", stored);
    summary.getAsJsonArray(SNAPSHOTS).add(entry);
    return new Taken(name, checksums);
  }

  /** Proves that the change map covers every difference, and that both images stay as they were. */
  void changeMap(Taken first, Taken second) throws IOException, InterruptedException {
    long changed = 0;
    long mapped = 0;
    long total = 0;
    for (int i = 0; i < writers.size(); i++) {
      DemoDisk disk = writers.get(i).disk();
      String name = disk.name();
      story.command(
          "blksnap", "cbt", "map", name, "--since", first.name(), "--until", second.name());
      var map = engine.changes(name, first.name(), second.name());
      try (NbdClient earlier = engine.connect(name + "@" + first.name());
          NbdClient later = engine.connect(name + "@" + second.name())) {
        var check = ChangeMapCheck.compare(disk, earlier::read, later::read, map);
        requireSame(name, first, first.checksums().get(i), check.earlierChecksum());
        requireSame(name, second, second.checksums().get(i), check.laterChecksum());
        String blocks = Story.count(check.changedBlocks());
        String covered = HumanSize.of(check.mapBytes());
        story.fact(
            "%s: %s blocks of 4K differ, all inside the %d ranges of the map, which cover %s"
                .formatted(name, blocks, map.size(), covered));
        changed += check.changedBlocks() * Stamp.BYTES;
        mapped += check.mapBytes();
        total += disk.sizeBytes();
      }
    }
    if (changed == 0) {
      throw notProven("nothing changed between the snapshots, which shows nothing of the map");
    }
    story.fact(
        String.format(
            Locale.ROOT,
            "proven: no change is missed; the map covers %.1f times what changed, %.1f%% of the"
                + " disks",
            (double) mapped / changed,
            100.0 * mapped / total));
    story.fact("proven: both snapshots still read as they did when they were taken, by CRC-32C");
    var entry = new JsonObject();
    entry.addProperty("changed_bytes", changed);
    entry.addProperty("map_bytes", mapped);
    summary.add("change_map", entry);
  }

  /**
   * Proves that the disks hold every write.
   *
   * @param stoppedNanos when the last had been answered
   */
  void everyWrite(long stoppedNanos) throws IOException {
    var check = new MomentCheck("what the disks hold at the end", stoppedNanos, WriteLog.NEVER);
    for (StampWriter writer : writers) {
      compare(check, writer, writer.disk().name());
    }
  }

  private String compare(MomentCheck check, StampWriter writer, String export) throws IOException {
    DemoDisk disk = writer.disk();
    try (NbdClient image = engine.connect(export);
        FileChannel original = FileChannel.open(disk.original(), StandardOpenOption.READ)) {
      if (image.sizeBytes() != disk.sizeBytes()) {
        String sizes = image.sizeBytes() + " bytes, and its disk has " + disk.sizeBytes();
        throw notProven(export + " has " + sizes);
      }
      return check.compare(disk, writer.log(), image::read, ByteSource.of(original));
    }
  }

  private static void requireSame(String disk, Taken taken, String before, String now)
      throws BlkSnapException {
    if (!before.equals(now)) {
      String image = disk + "@" + taken.name();
      throw notProven(image + " has the checksum " + now + " now, and had " + before);
    }
  }

  /** What ends the demo. */
  static BlkSnapException notProven(String sentence) {
    return new BlkSnapException(Errno.EIO, "not proven: " + sentence);
  }
}
