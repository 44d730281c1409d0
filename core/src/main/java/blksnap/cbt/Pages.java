package blksnap.cbt;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/** Pages of a mapped file. */
final class Pages {
  private static final long PAGE_BYTES = 4096;
  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();

  private Pages() {}

  /**
   * Makes every page dirty without changing it, beside stores of others. When a sync has failed the
   * kernel takes the pages for clean though they never reached the disk, and would say of the next
   * sync that all is well; after this it has to write them again.
   *
   * @param memory begins at a page
   */
  static void dirty(MemorySegment memory) {
    for (long at = 0; at + Integer.BYTES <= memory.byteSize(); at += PAGE_BYTES) {
      var _ = (int) INT.getAndBitwiseOr(memory, at, 0);
    }
  }
}
