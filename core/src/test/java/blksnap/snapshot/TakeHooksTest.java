package blksnap.snapshot;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.diffarea.FullPolicy;
import blksnap.error.Errno;
import blksnap.linux.Processes;
import blksnap.sim.World;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Commands around a take, and what may not be frozen for one. */
@Timeout(120)
class TakeHooksTest {
  private static final int BLOCK = 4096;
  private static final long LONG = 60_000;

  @TempDir Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private World world;

  @SuppressWarnings("NullAway.Init") // before each test
  private Snapshot snapshot;

  @BeforeEach
  void create() throws IOException {
    world = new World(directory);
    world.attach("vm1", Bytes.repeated('a', 8 * BLOCK));
    world.attach("vm2", Bytes.repeated('a', 8 * BLOCK));
    snapshot =
        world.create(Durability.PROCESS, OptionalLong.empty(), FullPolicy.BREAK, "vm1", "vm2");
  }

  @AfterEach
  void close() throws IOException {
    world.close();
  }

  private List<String> take(TakeHooks hooks) throws IOException {
    return world.snapshots().take(snapshot, hooks, TakeSurroundings.NONE);
  }

  private static TakeHooks commands(String pre, String post, long timeoutMillis, boolean best) {
    return new TakeHooks(
        List.of(),
        pre.isEmpty() ? Optional.empty() : Optional.of(pre),
        post.isEmpty() ? Optional.empty() : Optional.of(post),
        timeoutMillis,
        best);
  }

  private static TakeHooks freezing(Path... mountPoints) {
    return new TakeHooks(List.of(mountPoints), Optional.empty(), Optional.empty(), LONG, false);
  }

  private Path out() {
    return directory.resolve("out");
  }

  @Test
  void runsOneCommandBeforeAndOneAfterAndTellsThemWhatItIsAbout() throws IOException {
    String variables = "$BLKSNAP_HOOK $BLKSNAP_SNAPSHOT_ID $BLKSNAP_DEVICES $BLKSNAP_RUN_DIR";
    List<String> warnings =
        world
            .snapshots()
            .take(
                snapshot,
                commands(
                    "echo " + variables + " >>" + out(),
                    "echo " + variables + " $BLKSNAP_RESULT $BLKSNAP_CONSISTENCY >>" + out(),
                    LONG,
                    false),
                new TakeSurroundings(List.of(), Map.of("BLKSNAP_RUN_DIR", "/r"), () -> false));

    assertThat(warnings).isEmpty();
    assertThat(out())
        .hasContent(
            "pre "
                + snapshot.id()
                + " vm1 vm2 /r\npost "
                + snapshot.id()
                + " vm1 vm2 /r taken crash-consistent\n");
    assertThat(snapshot.consistency())
        .contains(new Consistency(false, "no file system was frozen; the pre command succeeded"));
  }

  @Test
  void takesNothingWhenTheFirstCommandFailsAndRunsTheSecondAllTheSame() throws IOException {
    var hooks = commands("echo one; echo it broke >&2; exit 7", "env >" + out(), LONG, false);
    refused(Errno.EIO, () -> take(hooks), "status 7", "it broke");
    assertThat(Files.readAllLines(out())).contains("BLKSNAP_RESULT=failed");
    assertThat(snapshot.view().state()).isEqualTo(Snapshot.State.CREATED);
    assertThat(snapshot.consistency()).isEmpty();

    assertThat(take(TakeHooks.NONE)).isEmpty();
    assertThat(snapshot.consistency()).contains(Consistency.UNASKED);
  }

  @Test
  void takesItForBestEffortAndSaysWhyItIsNotMore() throws IOException {
    assertThat(take(commands("exit 7", "", LONG, true))).isEmpty();
    assertThat(snapshot.consistency())
        .contains(new Consistency(false, "the pre command ended with status 7"));
  }

  @Test
  void endsACommandWithAllThatItStartedWhenItsTimeIsOver() throws IOException {
    Path pid = directory.resolve("pid");
    String hangs = "trap '' TERM; sleep 1000 & echo $! >" + pid + "; wait";
    refused(Errno.ETIMEDOUT, () -> take(commands(hangs, "", 1_500, false)), "1500 ms");
    long left = Long.parseLong(Files.readString(pid).strip());
    while (Processes.isAlive(left) && !isZombie(left)) {
      Thread.onSpinWait();
    }
    assertThat(snapshot.view().state()).isEqualTo(Snapshot.State.CREATED);
  }

  /** Nobody in a test's container need take it away. */
  private static boolean isZombie(long pid) {
    try {
      return Files.readString(Path.of("/proc/" + pid + "/stat")).contains(") Z ");
    } catch (IOException e) {
      return true; // it went meanwhile
    }
  }

  @Test
  void endsACommandAtOnceWhenTheEngineGoes() throws IOException {
    String tells = "touch " + out() + "; sleep 1000";
    var going = new TakeSurroundings(List.of(), Map.of(), () -> Files.exists(out()));
    refused(
        Errno.ESHUTDOWN,
        () -> world.snapshots().take(snapshot, commands(tells, "", 600_000, true), going));
    assertThat(snapshot.view().state()).isEqualTo(Snapshot.State.CREATED);
  }

  @Test
  void aCommandThatPrintsWithoutEndIsNotHeldUpByItsOutput() throws IOException {
    var hooks =
        commands(
            "head -c 3000000 /dev/zero | tr '\\0' 'x'; echo; echo end; false", "", LONG, false);
    refused(Errno.EIO, () -> take(hooks), ": end");
  }

  @Test
  void aFailedSecondCommandIsAWarningForASnapshotThatIsTaken() throws IOException {
    assertThat(take(commands("", "exit 3", LONG, false)))
        .containsExactly("the post command ended with status 3");
    assertThat(snapshot.view().state()).isEqualTo(Snapshot.State.TAKEN);
  }

  @Test
  void anInterruptEndsTheTakeAndLeavesNothingHalfDone() throws Exception {
    try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
      var taker = new AtomicReference<Thread>();
      Future<Boolean> told =
          threads.submit(() -> {
            taker.set(Thread.currentThread());
            String tells = "touch " + out() + "; sleep 1000";
            refused(Errno.ESHUTDOWN, () -> take(commands(tells, "", 600_000, false)));
            return Thread.interrupted();
          });
      while (!Files.exists(out())) {
        Thread.onSpinWait();
      }
      Objects.requireNonNull(taker.get()).interrupt();
      assertThat(told.get()).as("the interrupt is given back").isTrue();
    }
    assertThat(take(TakeHooks.NONE)).isEmpty();
  }

  @Test
  void refusesWhatNoTakeCanBeAsked() {
    refused(Errno.EINVAL, () -> take(commands("true", "", 99, false)), "99 ms", "100 to 600000");
    refused(Errno.EINVAL, () -> take(commands(" ", "", LONG, true)), "pre command");
    refused(Errno.EINVAL, () -> take(commands("", "x".repeat(65_537), LONG, false)), "65537");
    var many = java.util.Collections.nCopies(65, Path.of("/")).toArray(Path[]::new);
    refused(Errno.EINVAL, () -> take(freezing(many)), "65 file systems");
  }

  @Test
  void neverFreezesTheFileSystemOfItsOwnState() throws IOException {
    Path own = Path.of(Commands.run("stat", "--format=%m", directory.toString()));
    refused(Errno.EINVAL, () -> take(freezing(own)), own.toString(), "state directory");
  }

  @Test
  void aPathThatIsNoMountPointIsNotTakenForTheFileSystemAroundIt() throws IOException {
    refused(Errno.EINVAL, () -> take(freezing(directory)), "not a mount point");
    refused(Errno.ENOENT, () -> take(freezing(directory.resolve("no"))), "no");
  }

  @Test
  void bestEffortGoesOnWithoutAFileSystemThatMayNotBeFrozen() throws IOException {
    var hooks =
        new TakeHooks(List.of(directory), Optional.of("true"), Optional.empty(), LONG, true);
    assertThat(take(hooks)).isEmpty();
    assertThat(snapshot.consistency().orElseThrow())
        .isEqualTo(
            new Consistency(false, "cannot freeze " + directory + ": it is not a mount point"));
  }

  @Test
  void readsTheMountPointsOfTheKernelWithTheirBlanks() {
    assertThat(FreezeCheck.unescaped("/srv/a\\040b\\011c\\134040")).isEqualTo("/srv/a b\tc\\040");
  }

  @Test
  void theRecordOfATakeSaysHowConsistentItIs() throws IOException {
    var record =
        new SnapshotRecord(
            UUID.randomUUID(),
            new SnapshotConfig("s", Durability.PROCESS, FullPolicy.BREAK),
            SnapshotRecord.Phase.TAKEN,
            1,
            0,
            UUID.randomUUID(),
            Optional.empty(),
            OptionalLong.of(1),
            Optional.of(new Consistency(true, "frozen: /srv")),
            List.of());
    assertThat(SnapshotRecord.of(record.toFields())).isEqualTo(record);
  }
}
