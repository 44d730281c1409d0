package blksnap.diffstorage;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/** Looks what others did to the files of a storage. Used by one thread, read by any. */
final class RangeWatch {
  /** What was found last; empty while all is well. */
  private volatile Optional<String> trouble = Optional.empty();

  /** As {@link DiffStorage#look}. */
  List<DiffStorage.Cut> look(List<StorageRange> ranges, Consumer<String> told) {
    List<DiffStorage.Cut> cuts = new ArrayList<>();
    List<String> troubles = new ArrayList<>();
    for (int i = 0; i < ranges.size(); i++) {
      StorageRange range = ranges.get(i);
      OptionalLong end = range.lookForEnd();
      if (end.isPresent()) {
        String sentence =
            "diff storage "
                + range.description().path()
                + " was cut to "
                + end.getAsLong()
                + " bytes";
        cuts.add(new DiffStorage.Cut(i, range.blocksWithin(end.getAsLong()), sentence));
        told.accept(sentence);
      }
      range.trouble().ifPresent(troubles::add);
    }
    Optional<String> found =
        troubles.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", troubles));
    if (found.isPresent() && cuts.isEmpty() && !found.equals(trouble)) {
      told.accept(found.get());
    }
    trouble = found;
    return cuts;
  }

  Optional<String> trouble() {
    return trouble;
  }
}
