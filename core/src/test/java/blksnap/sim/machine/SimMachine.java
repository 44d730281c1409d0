package blksnap.sim.machine;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.linux.NativeFile.Flag;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A machine with files in memory. It is driven by one thread at a time; calls may let another one
 * go on before and after their effect. {@link #kill} ends the process and keeps what the kernel
 * has; {@link #cut} takes the power away and keeps what the disk has.
 */
public final class SimMachine {
  /** 2020-01-01: before any time that the real clock shows. */
  private static final long START_NANOS = 1_577_836_800_000_000_000L;

  /** More than an engine has under way. */
  private static final long MORE_PAGES = 1 << 16;

  private static final long PLENTY = 1L << 40;

  /** What becomes durable when. */
  public enum Entries {
    /** Directory entries reach the disk in order, and any sync takes all before it along. */
    JOURNAL,
    /** Each entry on its own, and only a sync of its directory is sure to take it along. */
    LOOSE
  }

  /**
   * One change of a directory that the disk does not have yet.
   *
   * @param first of the two that a rename is, and a journal takes both or none
   */
  private record Change(Inode directory, String name, @Nullable Inode inode, boolean first) {}

  private final SplittableRandom random;
  private final Entries entries;
  private final SimFileSystem system;
  private final Faults faults;
  private final List<Inode> files = new ArrayList<>();
  private final List<Change> journal = new ArrayList<>();
  private Inode root;
  private long inodes;
  private long clockNanos = START_NANOS;
  private UUID bootId = new UUID(1, 0);
  private long bootMillis = START_NANOS / 1_000_000 - 60_000;
  private long freeBytes = PLENTY;
  private long calls;
  private long syncs;
  private long trace = 1;
  private boolean quiet = true;
  private Runnable onCall = () -> {};
  private Consumer<String> onFault = fault -> {};

  public SimMachine(SplittableRandom random, Entries entries, Faults faults) {
    this.random = random;
    this.entries = entries;
    this.faults = faults;
    this.system = new SimFileSystem(this);
    this.root = newInode(true, FileClass.OTHER);
  }

  public Path path(String name) {
    return system.getPath(name);
  }

  /** Without interleaving, faults and write-back: for who looks at the outcome. */
  public void quiet(boolean now) {
    quiet = now;
  }

  /** Runs before each call that is not quiet. */
  public void onCall(Runnable action) {
    onCall = action;
  }

  /** Whether a file that is renamed has one name or the other after a power loss. */
  public boolean renamesAreWhole() {
    return entries == Entries.JOURNAL;
  }

  /** Told of each fault. */
  public void onFault(Consumer<String> action) {
    onFault = action;
  }

  /** Calls so far that were not quiet. */
  public long calls() {
    return calls;
  }

  /** Calls so far that make something durable, those in quiet too. */
  public long syncs() {
    return syncs;
  }

  /** Equal for two runs that made the same calls in the same order. */
  public long trace() {
    return trace;
  }

  public void freeBytes(long bytes) {
    freeBytes = bytes;
  }

  long freeBytes() {
    return freeBytes;
  }

  UUID bootId() {
    return bootId;
  }

  /** How often it was started. */
  long boots() {
    return bootId.getLeastSignificantBits() + 1;
  }

  long bootMillis() {
    return bootMillis;
  }

  /** The time as this machine has it. */
  public InstantSource clock() {
    return () -> Instant.ofEpochMilli(clockNanos / 1_000_000);
  }

  public void advanceMillis(long by) {
    clockNanos += by * 1_000_000;
  }

  // ---- calls

  /** Before the effect of a call: others may run, a fault may come. */
  void enter(Call call, FileClass file, long offset, long length) throws BlkSnapException {
    pass(call, file, offset, length);
    if (quiet) {
      return;
    }
    Errno errno = faults.next(call, file, random);
    if (errno != null) {
      onFault.accept(errno + " of " + call + " on " + file + " at " + offset + "+" + length);
      throw new BlkSnapException(errno, errno.meaning() + " (simulated)");
    }
  }

  /** Before the effect of a call that cannot fail: others may run. */
  void pass(Call call, FileClass file, long offset, long length) {
    clockNanos += 1_000;
    if (call == Call.SYNC || call == Call.FORCE) {
      syncs++;
    }
    if (quiet) {
      return;
    }
    calls++;
    trace = trace * 31 + call.name().hashCode();
    trace = trace * 31 + file.name().hashCode();
    trace = trace * 31 + offset;
    trace = trace * 31 + length;
    onCall.run();
    if (random.nextInt(3) == 0) {
      SimScheduler.giveWay();
    }
  }

  /** After the effect: others may run, and the disk writes something by itself. */
  void leave() {
    if (quiet) {
      return;
    }
    if (random.nextInt(16) == 0) {
      writeBackSome();
    }
    if (random.nextInt(3) == 0) {
      SimScheduler.giveWay();
    }
  }

  int shorten(int count, Inode inode) {
    FileClass file = inode.fileClass;
    if (quiet || count < 2 || inode.disk || !faults.cutsShort(file, random)) {
      return count;
    }
    if (file == FileClass.DISK) { // where it ends, another fault may come: sectors stay whole
      return Math.max(Math.min(count, Content.SECTOR), random.nextInt(count) & -Content.SECTOR);
    }
    return 1 + random.nextInt(count - 1);
  }

  private void writeBackSome() {
    Inode any = files.get(random.nextInt(files.size()));
    if (!any.isDirectory()) {
      if (any.fileClass == FileClass.STORAGE && faults.losesPage(random)) {
        any.owesAnError |= any.data().loseSome(random);
      } else {
        any.data().writeBackSome(random);
      }
    }
    if (!journal.isEmpty() && random.nextInt(4) == 0) {
      Change change = journal.removeFirst();
      commit(change);
      if (change.first && entries == Entries.JOURNAL) {
        commit(journal.removeFirst());
      }
    }
  }

  private static void commit(Change change) {
    put(change.directory.durableEntries, change.name, change.inode);
  }

  private static void put(Map<String, Inode> names, String name, @Nullable Inode inode) {
    if (inode == null) {
      names.remove(name);
    } else {
      names.put(name, inode);
    }
  }

  /** Any sync has ended. */
  void synced() {
    if (entries == Entries.JOURNAL) {
      journal.forEach(SimMachine::commit);
      journal.clear();
    }
  }

  void sync(Inode inode) {
    if (inode.isDirectory()) {
      List<Change> others = new ArrayList<>();
      for (Change change : journal) {
        if (change.directory == inode) {
          commit(change);
        } else {
          others.add(change);
        }
      }
      journal.clear();
      journal.addAll(others);
    } else {
      inode.data().syncAll();
    }
    synced();
  }

  void stamp(Inode inode) {
    inode.modifiedNanos = clockNanos;
    inode.changedNanos = clockNanos;
  }

  // ---- names

  Inode newInode(boolean directory, FileClass file) {
    var inode = new Inode(++inodes, directory, file);
    stamp(inode);
    inode.bornNanos = clockNanos;
    files.add(inode);
    return inode;
  }

  void link(Inode directory, String name, Inode inode) {
    directory.entries.put(name, inode);
    journal.add(new Change(directory, name, inode, false));
  }

  void unlink(Inode directory, String name) {
    directory.entries.remove(name);
    journal.add(new Change(directory, name, null, false));
  }

  void rename(Inode from, String name, Inode to, String newName, Inode inode) {
    to.entries.put(newName, inode);
    journal.add(new Change(to, newName, inode, true));
    unlink(from, name);
  }

  @Nullable Inode find(SimPath path) {
    Inode at = root;
    for (Path name : path.toAbsolutePath().normalize()) {
      at = at == null ? null : at.entries.get(name.toString());
    }
    return at;
  }

  FileClass classOf(SimPath path) {
    Path names = path.toAbsolutePath();
    return names.getNameCount() == 0
        ? FileClass.OTHER
        : switch (names.getName(0).toString()) {
          case "state" -> FileClass.STATE;
          case "storage", "more" -> FileClass.STORAGE;
          case "disks" -> FileClass.DISK;
          default -> FileClass.OTHER;
        };
  }

  NativeFile open(SimPath path, Set<Flag> flags) throws BlkSnapException {
    FileClass file = classOf(path);
    boolean create = flags.contains(Flag.CREATE) || flags.contains(Flag.CREATE_NEW);
    try {
      enter(create ? Call.CREATE : Call.OPEN, file, 0, 0);
    } catch (BlkSnapException e) {
      throw new BlkSnapException(e.errno(), "cannot open " + path + ": " + e.getMessage());
    }
    Inode inode = find(path);
    if (inode != null && flags.contains(Flag.CREATE_NEW)) {
      throw new BlkSnapException(Errno.EEXIST, "cannot open " + path + " as a new file");
    }
    if (inode == null) {
      Path parent = path.toAbsolutePath().getParent();
      Inode directory = parent instanceof SimPath above ? find(above) : null;
      if (!create || directory == null) {
        throw new BlkSnapException(Errno.ENOENT, "cannot open " + path);
      }
      inode = newInode(false, file);
      link(directory, String.valueOf(path.getFileName()), inode);
    }
    leave();
    return new SimFile(this, inode, path, flags);
  }

  // ---- for tests

  /** Makes a directory at the top, durably. */
  public void makeDirectory(String path) {
    Inode inode = newInode(true, classOf((SimPath) path(path)));
    root.entries.put(nameOf(path), inode);
    root.durableEntries.put(nameOf(path), inode);
  }

  /** Makes a file, durably. */
  public void makeFile(String path, long size) {
    Inode inode = newInode(false, classOf((SimPath) path(path)));
    inode.data().truncate(size);
    inode.data().syncAll();
    Inode directory = directoryOf(path);
    directory.entries.put(nameOf(path), inode);
    directory.durableEntries.put(nameOf(path), inode);
  }

  /** Somebody else writes to a file. */
  public void write(String path, long offset, byte[] bytes) {
    Inode inode = file(path);
    inode.data().write(offset, bytes, bytes.length);
    changed(inode);
  }

  /** Somebody else makes durable what he wrote. */
  public void sync(String path) {
    sync(file(path));
  }

  /** Somebody else changes the size of a file. */
  public void resize(String path, long size) {
    Inode inode = file(path);
    inode.data().truncate(size);
    changed(inode);
  }

  /** Somebody else puts a copy in the place of a file, durably. */
  public void replace(String path) {
    Inode old = file(path);
    byte[] bytes = content(path);
    makeFile(path, bytes.length);
    Inode copy = file(path);
    copy.data().write(0, bytes, bytes.length);
    copy.data().syncAll();
    changed(copy);
    copy.bornNanos = clockNanos;
    copy.modifiedNanos = old.modifiedNanos; // as a careful copy has it
  }

  private void changed(Inode inode) {
    clockNanos += 10_000_000;
    stamp(inode);
  }

  /** When a file was last modified, and may be said to have been. */
  public long modifiedNanos(String path) {
    return file(path).modifiedNanos;
  }

  public void modifiedNanos(String path, long nanos) {
    file(path).modifiedNanos = nanos;
  }

  /** When a file was last changed, which nobody but the clock says; it may be a slow one. */
  public long changedNanos(String path) {
    return file(path).changedNanos;
  }

  public void changedNanos(String path, long nanos) {
    file(path).changedNanos = nanos;
  }

  private Inode file(String path) {
    Inode found = find((SimPath) path(path));
    if (found == null) {
      throw new IllegalArgumentException("there is no " + path);
    }
    return found;
  }

  /** Makes a block device. */
  public void makeDisk(String path, long size) {
    makeFile(path, size);
    file(path).disk = true;
  }

  /** Whether a path leads to a block device. */
  public boolean isDisk(String path) {
    return file(path).disk;
  }

  /** Somebody else writes to a block device, and more than we see of it. */
  public void writeThrough(String path, long offset, byte[] bytes) {
    write(path, offset, bytes);
    Content disk = file(path).data();
    disk.syncAll();
    disk.writtenPages(disk.writtenPages() + MORE_PAGES);
  }

  private Inode directoryOf(String path) {
    Path parent = path(path).getParent();
    Inode found = parent instanceof SimPath above ? find(above) : null;
    if (found == null) {
      throw new IllegalArgumentException(path);
    }
    return found;
  }

  private String nameOf(String path) {
    return String.valueOf(path(path).getFileName());
  }

  /** Whether a path leads to something. */
  public boolean exists(String path) {
    return find((SimPath) path(path)) != null;
  }

  /** Names in a directory. */
  public List<String> list(String path) {
    Inode inode = find((SimPath) path(path));
    return inode == null ? List.of() : List.copyOf(inode.entries.keySet());
  }

  /** What a file holds right now. */
  public byte[] content(String path) {
    Inode inode = file(path);
    byte[] bytes = new byte[(int) inode.data().size()];
    inode.data().read(0, bytes, bytes.length);
    return bytes;
  }

  // ---- ends

  /** The process ends: what it gave to the kernel, stores to mappings among it, stays. */
  public void kill() {
    for (Inode inode : files) {
      inode.lockedBy = null;
      if (!inode.isDirectory()) {
        inode.data().unmap();
      }
    }
  }

  /** A directory that was given another name has one of the two; no file system knows both. */
  private void leaveDirectoriesOneName(Inode directory) {
    IdentityHashMap<Inode, String> names = new IdentityHashMap<>();
    new LinkedHashMap<>(directory.durableEntries)
        .forEach((name, inode) -> {
          String other = inode.isDirectory() ? names.put(inode, name) : null;
          if (other != null) {
            directory.durableEntries.remove(random.nextBoolean() ? name : other);
          }
        });
  }

  /** The power goes, and comes back. */
  public void cut() {
    kill();
    if (entries == Entries.JOURNAL) {
      int count = random.nextInt(journal.size() + 1);
      boolean halved = count > 0 && journal.get(count - 1).first;
      journal.subList(0, halved ? count + 1 : count).forEach(SimMachine::commit);
    } else {
      IdentityHashMap<Inode, Map<String, List<Change>>> changes = new IdentityHashMap<>();
      List<List<Change>> inOrder = new ArrayList<>();
      for (Change change : journal) {
        changes
            .computeIfAbsent(change.directory, d -> new LinkedHashMap<>())
            .computeIfAbsent(
                change.name,
                n -> {
                  List<Change> list = new ArrayList<>();
                  inOrder.add(list);
                  return list;
                })
            .add(change);
      }
      for (List<Change> ofName : inOrder) {
        int count = random.nextInt(ofName.size() + 1);
        if (count > 0) {
          commit(ofName.get(count - 1));
        }
      }
      files.forEach(this::leaveDirectoriesOneName);
    }
    journal.clear();
    for (Inode inode : files) {
      inode.owesAnError = false;
      if (inode.isDirectory()) {
        inode.entries.clear();
        inode.entries.putAll(inode.durableEntries);
      } else {
        inode.data().cut(random);
      }
    }
    clockNanos += 60_000_000_000L;
    bootId = new UUID(1, bootId.getLeastSignificantBits() + 1);
    bootMillis = clockNanos / 1_000_000;
    clockNanos += 1_000_000_000L;
  }
}
