package blksnap.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.MultipleFailuresError;

/** Damaged, exchanged, old and hostile files in the state directory of a killed engine. */
@Timeout(600)
class DiskFuzzTest {
  private static final int CASES = 100;
  private static final int MOST_FAILURES = Integer.getInteger("fuzz.failures", 5);

  @TempDir(factory = InMemory.class)
  Path directory;

  @Test
  void answersRightOrRefusesWhateverBecameOfItsFiles() throws IOException {
    var run = FuzzRun.ofCases(CASES);
    var world = new DiskWorld(directory);
    List<Throwable> failures = new ArrayList<>();
    long began = System.nanoTime();
    for (int number : run.cases().toArray()) {
      world.restore();
      var random = run.random(number);
      var mutator = new DiskMutator(world, random);
      mutator.mutate();
      String story = run.repeat(number) + ": " + mutator.story();
      try {
        load(world, mutator, random, story);
      } catch (IOException | RuntimeException | Error e) {
        failures.add(new AssertionError(story + ": " + e.getMessage(), e));
        if (failures.size() == MOST_FAILURES) {
          break;
        }
      }
    }
    System.out.println(run.rate("disk", System.nanoTime() - began));
    if (!failures.isEmpty()) {
      throw new MultipleFailuresError("damaged files", failures);
    }
  }

  @Test
  void answersAllOfItWhenNothingWasDamaged() throws IOException {
    var world = new DiskWorld(directory);
    for (int round = 0; round < 2; round++) {
      world.restore();
      try (var engine = new TestEngine(directory, world.config(new CopyOnWriteArrayList<>()))) {
        assertThat(DiskWorld.offered(engine)).containsAll(DiskWorld.IMAGES);
        for (String image : DiskWorld.IMAGES) {
          byte[] expected = world.content(image);
          assertThat(engine.read(image, 0, expected.length)).as(image).isEqualTo(expected);
          assertThat(DiskWorld.frozen(engine, image)).isEqualTo(world.frozen(image));
        }
        for (String device : DiskWorld.DEVICES) {
          assertThat(engine.cbt(device).generationId())
              .isEqualTo(world.changes(device).generation());
          assertThat(engine.changes(device, Optional.of("0"), Optional.empty()).ranges())
              .isEqualTo(world.changes(device).ranges());
          engine.write(device, 0, Bytes.pattern(round, 0, DiskWorld.BLOCK));
        }
      }
    }
  }

  private static void load(DiskWorld world, DiskMutator mutator, Random random, String story)
      throws IOException {
    List<LogRing.Line> log = new CopyOnWriteArrayList<>();
    TestEngine engine;
    try {
      engine = new TestEngine(world.directory(), world.config(log));
    } catch (BlkSnapException e) {
      assertThat(e.sentence()).as(story).contains(world.directory().toString());
      assertOriginals(world, story);
      return;
    }
    try (engine) {
      assertOriginals(world, story);
      assertImages(world, engine, mutator, story);
      assertChanges(world, engine, mutator, story);
      overwrite(world, engine, mutator, random, story);
      assertImages(world, engine, mutator, story);
    }
    assertThat(log)
        .as(story)
        .noneMatch(line -> line.text().contains("Exception") || line.text().contains("internal"));
  }

  private static void assertOriginals(DiskWorld world, String story) throws IOException {
    for (String device : DiskWorld.DEVICES) {
      assertThat(Arrays.equals(Files.readAllBytes(world.file(device)), world.content(device)))
          .as("%s: %s is as it was", story, device)
          .isTrue();
    }
  }

  private static void assertImages(
      DiskWorld world, TestEngine engine, DiskMutator mutator, String story) throws IOException {
    List<String> offered = DiskWorld.offered(engine);
    for (String image : DiskWorld.IMAGES) {
      if (!offered.contains(image)) {
        continue;
      }
      byte[] expected = world.content(image);
      Optional<byte[]> whole = read(engine, image, 0, expected.length);
      if (whole.isPresent() && Arrays.equals(whole.get(), expected)) {
        continue;
      }
      for (int at = 0; at < expected.length; at += DiskWorld.BLOCK) {
        Optional<byte[]> block = read(engine, image, at, DiskWorld.BLOCK);
        if (block.isPresent() && !mutator.imagesMayDiffer()) {
          assertThat(
                  Arrays.equals(
                      block.get(), 0, DiskWorld.BLOCK, expected, at, at + DiskWorld.BLOCK))
              .as("%s: block %d of %s is right", story, at / DiskWorld.BLOCK, image)
              .isTrue();
        }
      }
    }
  }

  private static Optional<byte[]> read(TestEngine engine, String export, int at, int length)
      throws IOException {
    var client = engine.client(export);
    client.request(0, 0, at, at, length);
    var reply = client.reply(length);
    return reply.error() == 0 ? Optional.of(reply.payload()) : Optional.empty();
  }

  private static void assertChanges(
      DiskWorld world, TestEngine engine, DiskMutator mutator, String story) throws IOException {
    for (String device : DiskWorld.DEVICES) {
      try {
        var known = world.changes(device);
        if (engine.cbt(device).generationId().equals(known.generation())
            && !mutator.changesMayDiffer()) {
          var ranges = engine.changes(device, Optional.of("0"), Optional.empty()).ranges();
          assertCovers(ranges, known.ranges(), story + ": map of " + device);
        }
      } catch (BlkSnapException e) {
        assertThat(e.sentence()).as(story).isNotEmpty();
      }
    }
    for (String image : DiskWorld.IMAGES) {
      try {
        List<ByteRange> ranges = DiskWorld.frozen(engine, image);
        if (!mutator.changesMayDiffer()) {
          assertCovers(ranges, world.frozen(image), story + ": frozen map of " + image);
        }
      } catch (BlkSnapException e) {
        assertThat(e.sentence()).as(story).isNotEmpty();
      }
    }
  }

  private static void assertCovers(List<ByteRange> ranges, List<ByteRange> known, String story) {
    for (ByteRange one : known) {
      assertThat(ranges)
          .as(story)
          .anyMatch(range -> range.offset() <= one.offset() && range.end() >= one.end());
    }
  }

  /** Writers go on as if nothing had happened, whatever became of the bookkeeping. */
  private static void overwrite(
      DiskWorld world, TestEngine engine, DiskMutator mutator, Random random, String story)
      throws IOException {
    for (String device : DiskWorld.DEVICES) {
      byte[] content = world.content(device).clone();
      int at = random.nextInt(content.length / DiskWorld.BLOCK) * DiskWorld.BLOCK;
      byte[] data = Bytes.pattern(random.nextLong(), at, DiskWorld.BLOCK);
      int error;
      try {
        error = engine.write(device, at, data);
      } catch (IOException e) { // not attached: the log says why
        assertThat(e).as(story).hasMessageContaining("GO refused");
        assertThat(mutator.refusesDevice(device)).as("%s: %s stays away", story, device).isTrue();
        continue;
      }
      assertThat(error)
          .as("%s: write of %s", story, device)
          .isIn(0, mutator.writesMayBeRefused() ? Errno.EPERM.number() : 0);
      if (error == 0) {
        System.arraycopy(data, 0, content, at, data.length);
      }
      assertThat(Arrays.equals(Files.readAllBytes(world.file(device)), content))
          .as("%s: what was written is on %s, and nothing else", story, device)
          .isTrue();
    }
  }
}
