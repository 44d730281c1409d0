package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Proves the simulation: faults are put into the engine's source, one at a time, and each must be
 * found within the seeds of the normal run. A fault whose place in the source is not found any more
 * fails, so that none of them is lost when the code changes.
 */
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class SimMutantsTest {
  static final long RUNS = 2_000;

  @TempDir Path classes;

  /** One replacement in one file. */
  private record Edit(String file, String from, String to) {}

  /** The faults; what is looked for shows its line ends. */
  @SuppressWarnings({"ImmutableEnumChecker", "StringConcatToTextBlock"}) // edits is List.of
  enum Mutant {
    MARK_AFTER_WRITE(
        new Edit(
            "tracker/TrackedDevice.java",
            "        mark(offset, length); // first: a change that then fails is over-reported,"
                + " never missed\n",
            ""),
        new Edit(
            "tracker/TrackedDevice.java",
            "          run(offset, length, change);\n",
            "          run(offset, length, change);\n          mark(offset, length);\n")),
    MAPPING_AFTER_OVERWRITE(
        new Edit(
            "diffarea/DiffArea.java",
            "      appendLog(kind, first, region.location(), region.blocks(), checksums, at);\n"
                + "      recorded = true;\n",
            "      var before = late.getAndSet(() -> {\n"
                + "        appendLog(kind, first, region.location(), region.blocks(), checksums,"
                + " at);\n"
                + "        return this;\n"
                + "      });\n"
                + "      if (before != null) {\n"
                + "        try {\n"
                + "          before.call();\n"
                + "        } catch (Exception e) {\n"
                + "          throw new IOException(e);\n"
                + "        }\n"
                + "      }\n"
                + "      recorded = true;\n"),
        new Edit(
            "diffarea/DiffArea.java",
            "  private final BlockMap preserved = new BlockMap();\n",
            "  private final BlockMap preserved = new BlockMap();\n"
                + "  private final AtomicReference<java.util.concurrent.Callable<Object>> late ="
                + " new AtomicReference<>();\n")),
    INTENT_NOT_SYNCED(
        new Edit(
            "cbt/WriteIntent.java",
            "      file.force();\n",
            "      if (lease < 0) {\n        file.force();\n      }\n")),
    POWER_STORAGE_NOT_SYNCED(
        new Edit(
            "diffarea/DiffArea.java",
            "      if (config.syncEach()) {\n        storage.sync();\n      }\n",
            "")),
    MAPPING_NOT_SYNCED(
        new Edit(
            "diffarea/DiffArea.java",
            "    if (log != null && config.syncEach()) {\n      log.force();\n    }\n",
            "")),
    RECORD_NAME_NOT_SYNCED(
        new Edit(
            "state/StateFile.java",
            "StandardCopyOption.REPLACE_EXISTING);\n      Directories.syncEntry(path);\n",
            "StandardCopyOption.REPLACE_EXISTING);\n")),
    INTENT_CLEARED_BEFORE_THE_MAP_IS_DURABLE(
        new Edit(
            "cbt/WriteIntent.java",
            "      map.force();\n      durable = true;\n",
            "      durable = true;\n")),
    INTENT_CLEARED_BEFORE_THE_DATA_IS_DURABLE(
        new Edit(
            "cbt/WriteIntent.java",
            "} else if (unflushed.isClean(region)) {",
            "} else if (true) {")),
    GATE_CLOSED_AFTER_THE_MAP_IS_FROZEN(
        new Edit(
            "snapshot/SnapshotTake.java",
            "        p.device.gate().close();\n",
            "        p.device.freezeMap(p.frozen);\n"
                + "        blksnap.sim.machine.SimScheduler.giveWay();\n"
                + "        p.device.gate().close();\n"),
        new Edit(
            "snapshot/SnapshotTake.java",
            "        p.device.freezeMap(p.frozen);\n        p.device.chain()",
            "        p.device.chain()")),
    MARK_MISSED_WHILE_THE_MAP_IS_COPIED_AHEAD(
        new Edit("cbt/ByteMap.java", "        touched[(int) (block >>> PIECE_SHIFT)] = 1;\n", ""),
        new Edit(
            "snapshot/SnapshotTable.java",
            "      take.copyAhead();\n",
            "      take.copyAhead();\n      blksnap.sim.machine.SimScheduler.giveWay();\n")),
    HANDED_DOWN_BLOCK_RELEASED_AS_WELL(
        new Edit(
            "diffarea/AreaChain.java",
            "            if (older == null || !older.holdsAt(block, location)) {\n",
            "            if (true) {\n")),
    STORAGE_APPENDED_WITHOUT_A_RECORD(
        new Edit(
            "snapshot/SnapshotTable.java",
            "context.storages().append(snapshot.storage(), path, parts, store.keeper());",
            "context.storages().append(snapshot.storage(), path, parts, (s, r) -> {});")),
    NOT_PRESERVED_AFTER_A_WAIT_FOR_ROOM(
        new Edit(
            "tracker/OldBlocks.java",
            "    Optional<DiffArea> newest = chain.preserver();\n    if (newest.isEmpty()) {",
            "    Optional<DiffArea> newest = chain.preserver();\n"
                + "    if (newest.isEmpty() || full != null) {")),
    CUT_OFF_WITHOUT_BEING_PRESERVED(
        new Edit(
            "tracker/TrackedDevice.java",
            "          if (keeping.keep(at, Math.min(RequestPieces.MAX_BYTES, original.sizeBytes()"
                + " - at))) {",
            "          if (true) {"),
        new Edit(
            "tracker/TrackedDevice.java",
            "      boolean held = holdsTail(newSizeBytes);",
            "      boolean held = true;")),
    TAKEN_OVER_A_RESIZE(
        new Edit("snapshot/SnapshotTake.java", "if (wasResized(p)) {", "if (false) {")),
    GROWN_PART_NOT_MARKED(
        new Edit(
            "tracker/MapExchange.java",
            "      next.map().mark(old.capacityBytes(), newSizeBytes - old.capacityBytes());\n",
            "")),
    RESIZE_NOT_REMEMBERED(
        new Edit("tracker/MapExchange.java", "    remember(OptionalLong.of(newSizeBytes));\n", "")),
    KEPT_THOUGH_OTHERS_WROTE_AFTER_A_KILL(
        new Edit("tracker/Continuity.java", "ours = latestMillis(now) <= latest;", "ours = true;")),
    KEPT_THOUGH_OTHERS_WROTE_TO_THE_DISK_AFTER_A_KILL(
        new Edit(
            "tracker/Continuity.java",
            "return reached >= 0 && reached <= mostBytes;",
            "return true;")),
    KEPT_THOUGH_OTHERS_WROTE_TO_THE_DISK_AFTER_A_RESTART(
        new Edit("tracker/Continuity.java", "if (now.sectorsWritten() > 0) {", "if (false) {")),
    KEPT_THOUGH_OTHERS_WROTE_WHILE_DETACHED(
        new Edit(
            "tracker/Continuity.java",
            "return unchanged(before, now.modifiedNanos(), now.changedNanos())\n",
            "return true\n"),
        new Edit(
            "tracker/TrackerStore.java",
            "before.sample().getAsLong() != sampler.sample()) {",
            "false) {")),
    SAMPLE_NOT_COMPARED(
        new Edit(
            "tracker/TrackerStore.java",
            "before.sample().getAsLong() != sampler.sample()) {",
            "false) {")),
    NUMBERS_BEGIN_ANEW_IN_THE_SAME_GENERATION(
        new Edit(
            "cbt/CbtMap.java",
            "publish(new State(now.sequence + 1, UUID.randomUUID(), 1, 0, FLAG_CLEAR));",
            "publish(new State(now.sequence + 1, now.generation, 1, 0, FLAG_CLEAR));")),
    FLUSH_DROPPED(new Edit("tracker/TrackedDevice.java", "      sync(original::flush);\n", "")),
    MAP_CLEARED_BEFORE_IT_IS_FROZEN(
        new Edit(
            "cbt/CbtMap.java",
            "    if (frozen.equals(ahead)) {\n",
            "    if (state.active == MAX_NUMBER) {\n"
                + "      live.clear();\n"
                + "      ahead = null;\n"
                + "    }\n"
                + "    if (frozen.equals(ahead)) {\n")),
    MAP_NOT_CLEARED_FOR_A_NEW_GENERATION(new Edit("cbt/CbtMap.java", "    live.clear();\n", "")),
    MAPS_MARKED_AGAIN_THAT_LOST_NO_MARKS(
        new Edit("snapshot/SnapshotRecovery.java", "doubtful::contains,", "_ -> true,"));

    private final List<Edit> edits;

    Mutant(Edit... edits) {
      this.edits = List.of(edits);
    }
  }

  @ParameterizedTest
  @EnumSource
  void findsAFaultThatWasPutIn(Mutant mutant) throws Exception {
    var engine = new ChangedEngine(classes);
    for (Edit edit : mutant.edits) {
      String source = engine.source(edit.file);
      assertThat(source.split(Pattern.quote(edit.from), -1))
          .as("places of the fault in %s", edit.file)
          .hasSize(2);
      engine.change(edit.file, source.replace(edit.from, edit.to));
    }
    assertThat(engine.firstFailure(0, RUNS)).as("what %s breaks", mutant).isNotEmpty();
  }

  @Test
  void findsNothingWhereNothingWasPutIn() throws Exception {
    var engine = new ChangedEngine(classes);
    engine.change("cbt/WriteIntent.java", engine.source("cbt/WriteIntent.java"));
    assertThat(engine.firstFailure(0, 60)).isEmpty();
  }
}
