package blksnap.backup;

import blksnap.sector.ByteRange;
import java.io.IOException;
import java.util.Optional;

/** Ranges of a disk, ascending and apart. */
@FunctionalInterface
public interface Ranges {
  /** The next one; empty when there are no more. */
  Optional<ByteRange> next() throws IOException;

  /** One range. */
  static Ranges of(ByteRange only) {
    return of(java.util.List.of(only));
  }

  /** Those of a list. */
  static Ranges of(Iterable<ByteRange> list) {
    var iterator = list.iterator();
    return () -> iterator.hasNext() ? Optional.of(iterator.next()) : Optional.empty();
  }

  /** These as far as they are before {@code end}, and then all from there to {@code size}. */
  static Ranges before(long end, Ranges first, long size) {
    return new Ranges() {
      private boolean over;
      private boolean last;

      @Override
      public Optional<ByteRange> next() throws IOException {
        if (!over) {
          Optional<ByteRange> range = first.next();
          if (range.isPresent() && range.get().offset() < end) {
            long length = Math.min(range.get().end(), end) - range.get().offset();
            return Optional.of(new ByteRange(range.get().offset(), length));
          }
          over = true;
        }
        if (!last && end < size) {
          last = true;
          return Optional.of(new ByteRange(end, size - end));
        }
        return Optional.empty();
      }
    };
  }
}
