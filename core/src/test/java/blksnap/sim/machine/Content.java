package blksnap.sim.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one file, twice: as the kernel has them, and as the disk does. In pages of 4 KiB; no
 * page is a hole. A page that both have is the same array, and arrays never change once they are in
 * a list.
 */
final class Content {
  static final int PAGE = 4096;
  static final int SECTOR = 512;

  private final List<byte @Nullable []> current = new ArrayList<>();
  private final List<byte @Nullable []> durable = new ArrayList<>();

  /** Pages that were given up by a write-back that failed: clean for the kernel, old on disk. */
  private final List<byte @Nullable []> lost = new ArrayList<>();

  /** Pages that may differ. */
  private final BitSet dirty = new BitSet();

  private long size;
  private long durableSize;

  /** Pages that were written to the disk since it appeared. */
  private long writtenPages;

  /** What is mapped, whose stores nobody reports; null while nothing is. */
  private @Nullable MemorySegment memory;

  long size() {
    return size;
  }

  long writtenPages() {
    return writtenPages;
  }

  void writtenPages(long pages) {
    writtenPages = pages;
  }

  private long endOfLastPage() {
    return (size + PAGE - 1) / PAGE * PAGE;
  }

  private static void reach(List<byte @Nullable []> pages, int page) {
    while (pages.size() <= page) {
      pages.add(null);
    }
  }

  private static byte @Nullable [] at(List<byte @Nullable []> pages, int page) {
    return page < pages.size() ? pages.get(page) : null;
  }

  /** Whether it is the very page that was given up. */
  private boolean isLost(int page) {
    return at(lost, page) != null && same(at(lost, page), at(current, page));
  }

  /** Whether all of it was given up, and is in memory alone: no disk is asked for it. */
  boolean isKept(long offset, long length) {
    for (long page = offset / PAGE; page * PAGE < offset + length; page++) {
      if (!isLost((int) page)) {
        return false;
      }
    }
    return true;
  }

  /** Pages never change, so what is one array is the same version. */
  @SuppressWarnings("ReferenceEquality")
  private static boolean same(byte @Nullable [] one, byte @Nullable [] other) {
    return one == other;
  }

  private void put(int page, byte @Nullable [] content) {
    reach(current, page);
    current.set(page, content);
    dirty.set(page);
    MemorySegment mapped = memory;
    if (mapped != null && (long) page * PAGE < mapped.byteSize()) {
      byte[] all = content == null ? new byte[PAGE] : content;
      int count = (int) Math.min(PAGE, mapped.byteSize() - (long) page * PAGE);
      MemorySegment.copy(all, 0, mapped, ValueLayout.JAVA_BYTE, (long) page * PAGE, count);
    }
  }

  /** Fetches what was stored to the mapping. */
  void absorb() {
    MemorySegment mapped = memory;
    if (mapped == null) {
      return;
    }
    for (int page = 0; (long) page * PAGE < mapped.byteSize(); page++) {
      long from = (long) page * PAGE;
      int count = (int) Math.min(PAGE, mapped.byteSize() - from);
      byte[] known = at(current, page);
      MemorySegment old = MemorySegment.ofArray(known == null ? new byte[PAGE] : known);
      if (MemorySegment.mismatch(mapped, from, from + count, old, 0, count) >= 0) {
        byte[] fresh = known == null ? new byte[PAGE] : known.clone();
        MemorySegment.copy(mapped, ValueLayout.JAVA_BYTE, from, fresh, 0, count);
        reach(current, page);
        current.set(page, fresh);
        dirty.set(page);
      }
    }
  }

  /** The memory of a mapping of the first {@code bytes}. */
  MemorySegment map(long bytes) {
    MemorySegment mapped = memory;
    if (mapped == null || mapped.byteSize() < bytes) {
      absorb();
      mapped = Arena.ofAuto().allocate(Math.max(bytes, size), Long.BYTES);
      memory = mapped;
      for (int page = 0; page < current.size(); page++) {
        byte[] content = current.get(page);
        long from = (long) page * PAGE;
        if (content != null && from < mapped.byteSize()) {
          int count = (int) Math.min(PAGE, mapped.byteSize() - from);
          MemorySegment.copy(content, 0, mapped, ValueLayout.JAVA_BYTE, from, count);
        }
      }
    }
    return mapped;
  }

  /** The process that had it mapped is gone. */
  void unmap() {
    absorb();
    memory = null;
  }

  void read(long offset, byte[] target, int count) {
    absorb();
    for (int done = 0; done < count; ) {
      long at = offset + done;
      int skip = (int) (at % PAGE);
      int part = Math.min(PAGE - skip, count - done);
      byte[] page = at(current, (int) (at / PAGE));
      if (page != null) {
        System.arraycopy(page, skip, target, done, part);
      } else {
        Arrays.fill(target, done, done + part, (byte) 0);
      }
      done += part;
    }
  }

  void write(long offset, byte[] source, int count) {
    absorb();
    for (int done = 0; done < count; ) {
      long at = offset + done;
      int skip = (int) (at % PAGE);
      int part = Math.min(PAGE - skip, count - done);
      byte[] page = at(current, (int) (at / PAGE));
      byte[] fresh = page == null ? new byte[PAGE] : page.clone();
      System.arraycopy(source, done, fresh, skip, part);
      put((int) (at / PAGE), fresh);
      done += part;
    }
    size = Math.max(size, offset + count);
  }

  /** Zeroes a range; whole pages become holes, or stay allocated. */
  void zero(long offset, long length, boolean allocated) {
    absorb();
    long end = Math.min(offset + length, endOfLastPage());
    for (long at = offset; at < end; ) {
      int skip = (int) (at % PAGE);
      int part = (int) Math.min(PAGE - skip, end - at);
      int number = (int) (at / PAGE);
      byte[] page = at(current, number);
      if (part == PAGE) {
        if (page != null || allocated) {
          put(number, allocated ? new byte[PAGE] : null);
        }
      } else if (page != null || allocated) {
        byte[] fresh = page == null ? new byte[PAGE] : page.clone();
        Arrays.fill(fresh, skip, skip + part, (byte) 0);
        put(number, fresh);
      }
      at += part;
    }
  }

  void allocate(long end) {
    absorb();
    size = Math.max(size, end);
    for (int page = 0; (long) page * PAGE < end; page++) {
      if (at(current, page) == null) {
        put(page, new byte[PAGE]);
      }
    }
  }

  void truncate(long bytes) {
    absorb();
    if (bytes < size) {
      zero(bytes, endOfLastPage() - bytes, false); // no page of what is cut off is ever written
    }
    size = bytes;
  }

  boolean isHole(long offset) {
    return at(current, (int) (offset / PAGE)) == null;
  }

  /** The first byte from {@code offset} on, below the size, that is in a hole or not. */
  long seek(long offset, boolean hole) {
    absorb();
    long at = offset;
    while (at < size && isHole(at) != hole) {
      at = (at / PAGE + 1) * PAGE;
    }
    return Math.min(at, size);
  }

  long allocatedBytes() {
    return current.stream().filter(page -> page != null).count() * PAGE;
  }

  /** Makes the pages that the range touches durable, but those that were given up before. */
  void sync(long offset, long length) {
    absorb();
    int end = (int) Math.min(dirty.length(), (offset + length + PAGE - 1) / PAGE);
    for (int page = dirty.nextSetBit((int) (offset / PAGE));
        page >= 0 && page < end;
        page = dirty.nextSetBit(page + 1)) {
      if (!isLost(page)) {
        reach(durable, page);
        durable.set(page, at(current, page));
        dirty.clear(page);
        writtenPages++;
      }
    }
    durableSize = size;
  }

  void syncAll() {
    sync(0, Long.MAX_VALUE / 2);
  }

  /** A write-back of the range failed: the kernel thinks of its pages as clean. */
  void forget(long offset, long length) {
    absorb();
    int end = (int) Math.min(current.size(), (offset + length + PAGE - 1) / PAGE);
    for (int page = dirty.nextSetBit((int) (offset / PAGE));
        page >= 0 && page < end;
        page = dirty.nextSetBit(page + 1)) {
      reach(lost, page);
      lost.set(page, at(current, page));
    }
  }

  /** Every page is to be written again, those too that a write-back gave up. */
  void dirty() {
    absorb();
    lost.clear();
    dirty.set(0, current.size());
  }

  /** Some sector of some page reaches the disk by itself. */
  void writeBackSome(RandomGenerator random) {
    absorb();
    if (dirty.isEmpty()) {
      return;
    }
    int page = dirty.nextSetBit(random.nextInt(dirty.length()));
    if (isLost(page)) {
      return;
    }
    reach(durable, page);
    durable.set(page, torn(page, random, 1 + random.nextInt(4)));
    if (same(durable.get(page), at(current, page))) {
      dirty.clear(page);
      writtenPages++;
    }
    if (random.nextInt(4) == 0) {
      durableSize = size;
    }
  }

  /** A page is lost on its way to the disk, and gone from memory too; whether there was one. */
  boolean loseSome(RandomGenerator random) {
    absorb();
    if (dirty.isEmpty()) {
      return false;
    }
    int page = dirty.nextSetBit(random.nextInt(dirty.length()));
    byte[] old = at(durable, page);
    put(page, old == null ? new byte[PAGE] : old);
    return true;
  }

  /**
   * A page as a cut leaves it: of each sector the old or the new.
   *
   * @param quarters how likely a sector is new
   */
  private byte @Nullable [] torn(int page, RandomGenerator random, int quarters) {
    byte[] oldPage = at(durable, page);
    byte[] newPage = at(current, page);
    byte[] merged = oldPage == null ? new byte[PAGE] : oldPage.clone();
    boolean all = true;
    for (int at = 0; at < PAGE; at += SECTOR) {
      if (random.nextInt(4) < quarters) {
        if (newPage == null) {
          Arrays.fill(merged, at, at + SECTOR, (byte) 0);
        } else {
          System.arraycopy(newPage, at, merged, at, SECTOR);
        }
      } else {
        all = false;
      }
    }
    return all ? newPage : merged;
  }

  /** Power is cut. */
  void cut(RandomGenerator random) {
    unmap();
    writtenPages = 0;
    int quarters = random.nextInt(5);
    for (int page = dirty.nextSetBit(0); page >= 0; page = dirty.nextSetBit(page + 1)) {
      if (isLost(page)) {
        reach(current, page);
        current.set(page, at(durable, page));
      } else {
        current.set(page, torn(page, random, quarters));
      }
    }
    size = random.nextBoolean() ? size : durableSize;
    dirty.clear();
    lost.clear();
    durable.clear();
    while (!current.isEmpty() && (long) (current.size() - 1) * PAGE >= size) {
      current.removeLast();
    }
    zeroBehindTheEnd();
    durable.addAll(current);
    durableSize = size;
  }

  /** Whatever a cut has left behind the end of a file, its file system shows zeroes there. */
  private void zeroBehindTheEnd() {
    int last = (int) (size / PAGE);
    byte[] page = at(current, last);
    if (page != null) {
      byte[] fresh = page.clone();
      Arrays.fill(fresh, (int) (size % PAGE), PAGE, (byte) 0);
      current.set(last, fresh);
    }
  }
}
