package blksnap.cli.demo;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Directories;
import blksnap.cli.command.EngineLink;
import blksnap.cli.command.Environment;
import blksnap.ctrl.CtrlReply;
import blksnap.error.BlkSnapException;
import blksnap.nbdclient.NbdClient;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;

/** One run, from an empty directory to none. What it shows is measured; what fails is thrown. */
final class DemoRun {
  private static final String FIRST = "monday";
  private static final String SECOND = "tuesday";

  /** Writes to each disk that lie between two steps. */
  private static final long WRITES_BETWEEN = 1000;

  /** Old blocks of both snapshots fit into so many times the disks' sizes. */
  private static final long STORAGE_FACTOR = 3;

  private static final double NANOS_PER_SECOND = 1e9;

  private final CommandContext context;
  private final Story story;
  private final DemoDirectory directory;
  private final DemoWishes wishes;
  private final Programs programs;
  private final JsonObject summary = new JsonObject();
  private final long beganNanos = System.nanoTime();

  private final List<DemoDisk> disks = new ArrayList<>();
  private final List<StampWriter> writers = new ArrayList<>();

  private DemoRun(CommandContext context, Story story, DemoDirectory directory, DemoWishes wishes) {
    this.context = context;
    this.story = story;
    this.directory = directory;
    this.wishes = wishes;
    programs = Programs.of(context.environment());
  }

  /**
   * Runs the demo; nothing is left when this returns or throws, unless it was wished.
   *
   * @return what was proven, in figures
   * @throws BlkSnapException {@code EIO} with what could not be proven
   */
  static JsonObject run(CommandContext context, Story story, DemoWishes wishes)
      throws IOException, InterruptedException {
    Environment environment = context.environment();
    Path parent =
        environment.absolute(
            Path.of(
                environment
                    .variable("TMPDIR")
                    .orElse(System.getProperty("java.io.tmpdir", "/tmp"))));
    DemoRun run;
    try (DemoDirectory directory = DemoDirectory.make(parent, wishes.keep())) {
      run = new DemoRun(context, story, directory, wishes);
      run.steps();
    }
    return run.finished();
  }

  private void steps() throws IOException, InterruptedException {
    makeDisks();
    DemoEngine engine = load();
    attach(engine);
    startWriters(engine);
    var proofs = new DemoProofs(engine, writers, story, summary);
    DemoProofs.Taken first = take(engine, proofs, FIRST);
    checkFileSystem(engine);
    DemoProofs.Taken second = take(engine, proofs, SECOND);
    story.step("ask what changed between the two, and compare every block to see if that is all");
    proofs.changeMap(first, second);
    showStatus(engine);
    stopWriters(proofs);
    remove(engine);
  }

  private void makeDisks() throws IOException, InterruptedException {
    story.step("make two disks");
    story.line("mkdir -m 700 " + Story.quoted(directory.path().toString()) + " && cd $_");
    var maker = new DiskMaker(directory.path(), new Random().nextLong(), programs);
    Optional<Path> image = wishes.image();
    disks.add(
        image.isPresent()
            ? maker.copyOf(1, "disk1", image.get())
            : maker.fileSystem(1, "disk1", wishes.sizeBytes()));
    disks.add(maker.patterned(2, "disk2", wishes.sizeBytes() / 2));
    var listed = new JsonArray();
    for (DemoDisk disk : disks) {
      story.command(disk.content().command().toArray(String[]::new));
      story.fact(disk.name() + ": " + disk.content().words());
      var entry = new JsonObject();
      entry.addProperty("name", disk.name());
      entry.addProperty("bytes", disk.sizeBytes());
      entry.addProperty("content", disk.content().words());
      listed.add(entry);
    }
    summary.add("disks", listed);
  }

  private DemoEngine load() throws IOException, InterruptedException {
    story.step("load an engine of its own; nothing of yours is touched");
    Path runDirectory = directory.path().resolve("run");
    Path stateDirectory = directory.path().resolve("state");
    story.line("export BLKSNAP_RUN_DIR=$PWD/run BLKSNAP_STATE_DIR=$PWD/state");
    story.command("blksnap", "load");
    EngineLink link =
        directory.own(context.opener().open(new Directories(runDirectory, stateDirectory), true));
    return new DemoEngine(link.engine(), runDirectory.resolve("nbd.sock"));
  }

  private void attach(DemoEngine engine) throws IOException, InterruptedException {
    story.step("attach the disks: from now on changed blocks are tracked");
    for (DemoDisk disk : disks) {
      story.command(
          "blksnap", "attach", disk.file().getFileName().toString(), "--name", disk.name());
      CtrlReply.Attached attached = engine.attach(disk.file(), disk.name());
      story.fact(attached.device().uri());
      attached.warnings().forEach(story::fact);
    }
  }

  private void startWriters(DemoEngine engine) throws IOException, InterruptedException {
    story.step("write to both disks through NBD, 4K at a time, and do not stop");
    var numbers = new AtomicLong();
    for (DemoDisk disk : disks) {
      NbdClient client = directory.own(engine.connect(disk.name()));
      var writer =
          directory.own(
              new StampWriter(disk, client, this::nanos, numbers, new Random(disk.number())));
      writers.add(writer);
      story.command(
          "fio",
          "--name=" + disk.name(),
          "--ioengine=nbd",
          "--uri=" + engine.uri(disk.name()),
          "--rw=randwrite",
          "--bs=4k",
          "--rate_iops=2000",
          "--time_based",
          "--runtime=60");
      writer.start();
    }
    awaitWrites();
    story.fact(Story.count(writes()) + " writes answered so far, logged with the time of each");
  }

  private DemoProofs.Taken take(DemoEngine engine, DemoProofs proofs, String name)
      throws IOException, InterruptedException {
    story.step("take snapshot " + name + " of both disks under the writers");
    Path storage = directory.path().resolve("storage");
    Files.createDirectories(storage);
    long limit = STORAGE_FACTOR * disks.stream().mapToLong(DemoDisk::sizeBytes).sum();
    List<String> names = disks.stream().map(DemoDisk::name).toList();
    story.command(
        "blksnap",
        "snapshot",
        "create",
        "disk1",
        "disk2",
        "--storage",
        "storage",
        "--limit",
        limit / 1024 + "K",
        "--name",
        name,
        "--take");
    long asked = nanos();
    engine.createAndTake(name, names, storage, limit);
    long answered = nanos();
    long pause = engine.snapshot(name).takePauseMicros().orElse(0);
    story.fact(
        "taken; "
            + Story.count(writes())
            + " writes had been answered, and writers were held for "
            + pause
            + " us");
    awaitWrites();
    return proofs.moment(name, asked, answered, pause);
  }

  private void checkFileSystem(DemoEngine engine) throws IOException, InterruptedException {
    DemoDisk disk = disks.getFirst();
    Optional<Path> e2fsck = programs.find("e2fsck");
    if (!disk.content().fileSystem() || e2fsck.isEmpty()) {
      return;
    }
    story.step("check the file system in the image");
    String image = disk.name() + "@" + FIRST;
    String copy = image + ".copy";
    try (NbdClient client = engine.connect(image)) {
      SparseCopy.copy(client::read, disk.sizeBytes(), directory.path().resolve(copy));
    }
    story.command("e2fsck", "-fn", copy);
    var words = List.of(e2fsck.get().toString(), "-fn", copy);
    Programs.Ended ended = Programs.run(directory.path(), words);
    if (ended.code() != 0) {
      throw DemoProofs.notProven(
          "e2fsck found the file system in " + image + " damaged: " + ended.output());
    }
    story.fact("proven clean: " + ended.output().lines().reduce("", (_, last) -> last));
    summary.addProperty("file_system_clean", true);
  }

  private void showStatus(DemoEngine engine) throws IOException, InterruptedException {
    story.step("look at everything: the status tree");
    story.command("blksnap", "status");
    CtrlReply.Tree tree = engine.status();
    if (story.isTold()) {
      context.printer().tree("/", tree.node());
    }
  }

  private void stopWriters(DemoProofs proofs) throws IOException, InterruptedException {
    story.step("stop writing, and look for every write that was answered");
    for (StampWriter writer : writers) {
      writer.stop();
    }
    long stopped = nanos();
    proofs.everyWrite(stopped);
    long perSecond = Math.round(writes() * NANOS_PER_SECOND / stopped);
    story.fact(
        "proven: all %s writes are on the disks, about %s a second since the demo began"
            .formatted(Story.count(writes()), Story.count(perSecond)));
    summary.addProperty("writes", writes());
    summary.addProperty("writes_per_second", perSecond);
    for (StampWriter writer : writers) {
      writer.close();
    }
  }

  private void remove(DemoEngine engine) throws IOException, InterruptedException {
    story.step("remove everything");
    for (String snapshot : List.of(FIRST, SECOND)) {
      story.command("blksnap", "snapshot", "destroy", snapshot);
      engine.destroy(snapshot);
    }
    for (DemoDisk disk : disks) {
      story.command("blksnap", "detach", disk.name());
      engine.detach(disk.name());
    }
    int held = engine.held();
    if (held != 0) {
      throw DemoProofs.notProven("the engine still has " + held + " devices and snapshots");
    }
    story.command("blksnap", "unload");
    if (!wishes.keep()) {
      story.line("cd .. && rm -r " + Story.quoted(directory.path().toString()));
    }
  }

  private JsonObject finished() throws BlkSnapException {
    Path path = directory.path();
    if (!wishes.keep() && Files.exists(path)) {
      throw DemoProofs.notProven(path + " is still there");
    }
    double seconds = nanos() / NANOS_PER_SECOND;
    story.fact(wishes.keep() ? "kept: " + path : "nothing is left");
    story.close(String.format(Locale.ROOT, "All of it was proven, in %.1f s.", seconds));
    summary.addProperty("seconds", Math.round(seconds * 10) / 10.0);
    if (wishes.keep()) {
      summary.addProperty("kept", path.toString());
    }
    summary.addProperty("proven", true);
    return summary;
  }

  private void awaitWrites() throws IOException, InterruptedException {
    for (StampWriter writer : writers) {
      writer.awaitWrites(WRITES_BETWEEN);
    }
  }

  private long writes() {
    return writers.stream().mapToLong(writer -> writer.log().count()).sum();
  }

  private long nanos() {
    return System.nanoTime() - beganNanos;
  }
}
