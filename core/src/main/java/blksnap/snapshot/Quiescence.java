package blksnap.snapshot;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The hooks of one take, in the order of its steps: {@link #check}, {@link #before}, {@link
 * #freeze}, {@link #thaw}, {@link #release} in any case, {@link #after} in any case. One thread.
 */
final class Quiescence {
  private final SnapshotContext context;
  private final Snapshot snapshot;
  private final TakeHooks hooks;
  private final TakeSurroundings surroundings;
  private final Patience patience;
  private @Nullable FileSystemFreeze freeze;
  private boolean preBegun;

  /** What went wrong on the way, where that does not stop the take. */
  private Optional<String> shortfall = Optional.empty();

  Quiescence(
      SnapshotContext context, Snapshot snapshot, TakeHooks hooks, TakeSurroundings surroundings) {
    this.context = context;
    this.snapshot = snapshot;
    this.hooks = hooks;
    this.surroundings = surroundings;
    this.patience = new Patience(surroundings.going());
  }

  /** Refuses what cannot be done, before any effect. */
  void check() throws BlkSnapException {
    hooks.check();
    if (!hooks.freeze().isEmpty()) {
      attempt(() -> new FreezeCheck(context, surroundings).check(hooks.freeze()));
    }
  }

  /** Runs the command before. */
  void before() throws BlkSnapException {
    if (hooks.pre().isPresent()) {
      preBegun = true;
      attempt(() ->
          HookCommand.run(
              "pre", hooks.pre().get(), environment("pre"), hooks.timeoutMillis(), patience));
    }
  }

  /** Freezes; from here on writers of those file systems wait. */
  void freeze() throws BlkSnapException {
    if (!hooks.freeze().isEmpty() && shortfall.isEmpty()) {
      attempt(() -> {
        var begun =
            FileSystemFreeze.open(hooks.freeze(), hooks.timeoutMillis(), patience, context.log());
        freeze = begun;
        begun.freeze();
      });
    }
  }

  private interface Step {
    void run() throws IOException;
  }

  private void attempt(Step step) throws BlkSnapException {
    try {
      step.run();
    } catch (IOException e) {
      release();
      BlkSnapException refused =
          e instanceof BlkSnapException known
              ? known
              : new BlkSnapException(Errno.EIO, String.valueOf(e), e);
      if (!hooks.bestEffort() || patience.isOver()) {
        throw refused;
      }
      shortfall = Optional.of(refused.sentence());
      context.log().warning("snapshot " + snapshot.name() + ": " + refused.sentence());
    }
  }

  /**
   * Thaws, right after the instant.
   *
   * @throws BlkSnapException {@code ETIMEDOUT} when a file system did not rest until now, so that
   *     the take is not what was asked for
   */
  Consistency thaw() throws BlkSnapException {
    FileSystemFreeze frozen = freeze;
    boolean held = frozen != null && frozen.thaw();
    if (frozen != null && !held) {
      attempt(() -> {
        throw new BlkSnapException(
            Errno.ETIMEDOUT,
            frozen.names()
                + " did not rest until the instant: the time of "
                + hooks.timeoutMillis()
                + " ms was over, or another thawed it");
      });
    }
    release();
    if (shortfall.isPresent()) {
      return new Consistency(false, shortfall.get());
    }
    String commanded = hooks.pre().isPresent() ? "the pre command succeeded" : "";
    if (frozen != null) {
      String rested = "frozen: " + frozen.names();
      return new Consistency(true, commanded.isEmpty() ? rested : rested + "; " + commanded);
    }
    return commanded.isEmpty()
        ? Consistency.UNASKED
        : new Consistency(false, Consistency.UNASKED.reason() + "; " + commanded);
  }

  /** Thaws what is frozen, whatever happened; twice is harmless. */
  void release() {
    FileSystemFreeze frozen = freeze;
    freeze = null;
    if (frozen != null) {
      frozen.close();
    }
  }

  /**
   * Runs the command after, if the one before was begun or there is none, and gives an interrupt
   * that came meanwhile back to the thread. Never fails.
   *
   * @return what the user should know of it
   */
  List<String> after(Optional<Consistency> taken) {
    List<String> warnings = new ArrayList<>();
    if (hooks.post().isPresent() && (preBegun || hooks.pre().isEmpty())) {
      Map<String, String> environment = new HashMap<>(environment("post"));
      environment.put("BLKSNAP_RESULT", taken.isPresent() ? "taken" : "failed");
      environment.put("BLKSNAP_CONSISTENCY", taken.map(Consistency::word).orElse(""));
      var own = new Patience(() -> false);
      try {
        // It undoes what the first one did: it has its time even when the engine goes.
        HookCommand.run("post", hooks.post().get(), environment, hooks.timeoutMillis(), own);
      } catch (BlkSnapException e) {
        warnings.add(e.sentence());
        context.log().warning("snapshot " + snapshot.name() + ": " + e.sentence());
      }
      own.restore();
    }
    patience.restore();
    return warnings;
  }

  private Map<String, String> environment(String hook) {
    Map<String, String> environment = new HashMap<>(surroundings.environment());
    environment.put("BLKSNAP_HOOK", hook);
    environment.put("BLKSNAP_SNAPSHOT", snapshot.name());
    environment.put("BLKSNAP_SNAPSHOT_ID", snapshot.id().toString());
    environment.put(
        "BLKSNAP_DEVICES",
        String.join(" ", snapshot.view().parts().stream().map(SnapshotPart::device).toList()));
    return environment;
  }
}
