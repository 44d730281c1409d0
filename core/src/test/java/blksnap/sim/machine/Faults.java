package blksnap.sim.machine;

import blksnap.error.Errno;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Which calls fail. */
public final class Faults {
  /** None ever. */
  public static final int NEVER = 0;

  private final int oneIn;
  private final @Nullable FileClass only;
  private boolean shortTransfers;
  private boolean lostPages;
  private boolean oneLostSync;
  private @Nullable Call nextCall;
  private @Nullable FileClass nextFile;
  private int callsLeft;
  private boolean paused;
  private long injected;
  private long onDisk;
  private long syncsOfDisk;

  /**
   * @param oneIn of how many calls one fails, by and large; {@link #NEVER}
   * @param only the files that it happens to; null: all
   */
  public Faults(int oneIn, @Nullable FileClass only) {
    this.oneIn = oneIn;
    this.only = only;
  }

  public static Faults none() {
    return new Faults(NEVER, null);
  }

  /** Transfers end early at times; nothing fails by that. */
  public Faults withShortTransfers() {
    shortTransfers = true;
    return this;
  }

  /** Diff storage loses pages at times, and tells only a later sync. */
  public Faults withLostPages() {
    lostPages = true;
    return this;
  }

  /** One sync of a mapping of the state directory fails, and later ones say that all is well. */
  public Faults withOneLostSync() {
    oneLostSync = true;
    return this;
  }

  /** The next such call fails, unless the machine is quiet. */
  public void failNext(Call call, FileClass file) {
    nextCall = call;
    nextFile = file;
    callsLeft = 1;
  }

  /** One of the next calls, whatever it does to such a file, fails: the first is number 1. */
  public void failOne(int number, FileClass file) {
    nextCall = null;
    nextFile = file;
    callsLeft = number;
  }

  /** Whether the call that was to fail is still to come. */
  public boolean isPending() {
    return callsLeft > 0;
  }

  public void pause(boolean now) {
    paused = now;
  }

  /** Faults so far; short transfers are none. */
  public long injected() {
    return injected;
  }

  /** Faults so far of calls that change or look at an original. */
  public long onDisk() {
    return onDisk;
  }

  /** Syncs of originals that failed. */
  public long syncsOfDisk() {
    return syncsOfDisk;
  }

  @Nullable Errno next(Call call, FileClass file, SplittableRandom random) {
    if (oneLostSync && !paused && call == Call.FORCE && file == FileClass.STATE) {
      if (random.nextInt(8) == 0) {
        oneLostSync = false;
        injected++;
        return Errno.EIO;
      }
    }
    boolean counts = call != Call.CLOSE && (nextCall == null || call == nextCall);
    if (callsLeft > 0 && file == nextFile && counts && --callsLeft == 0) {
      return Errno.EIO;
    }
    if (oneIn == NEVER || paused || call == Call.CLOSE || (only != null && only != file)) {
      return null;
    }
    if (random.nextInt(oneIn) != 0) {
      return null;
    }
    injected++;
    if (file == FileClass.DISK) {
      onDisk++;
    }
    if (file == FileClass.DISK && call == Call.SYNC) {
      syncsOfDisk++;
    }
    return switch (call) {
      case WRITE, ALLOCATE, TRUNCATE, CREATE, RENAME ->
          switch (random.nextInt(3)) {
            case 0 -> Errno.ENOSPC;
            case 1 -> Errno.EROFS;
            default -> Errno.EIO;
          };
      default -> Errno.EIO;
    };
  }

  boolean cutsShort(FileClass file, SplittableRandom random) {
    return shortTransfers && !paused && file != FileClass.OTHER && random.nextInt(4) == 0;
  }

  boolean losesPage(SplittableRandom random) {
    if (lostPages && !paused && random.nextInt(4) == 0) {
      injected++;
      return true;
    }
    return false;
  }
}
