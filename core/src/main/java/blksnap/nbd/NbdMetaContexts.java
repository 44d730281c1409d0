package blksnap.nbd;

import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The metadata contexts of one negotiation: which exist, which a query means, and what was selected
 * for which name.
 */
final class NbdMetaContexts {
  /** Contexts one client may have selected; each costs an answer to every BLOCK_STATUS. */
  static final int MAX_SELECTED = 16;

  private final ExportTable exports;

  /** What was selected, in the order of its ids; {@code base:allocation} needs the device first. */
  private final Map<String, Optional<MetaContext>> selected = new LinkedHashMap<>();

  private String selectedFor = "";

  NbdMetaContexts(ExportTable exports) {
    this.exports = exports;
  }

  /**
   * Contexts to list for the queries, each once; no query means all. One that ends with a colon
   * means all that begin with it.
   */
  Set<String> list(String exportName, List<String> queries) {
    var all = new ArrayList<String>();
    all.add(AllocationContext.NAME);
    all.addAll(exports.contextNames(exportName));
    if (queries.isEmpty()) {
      return new LinkedHashSet<>(all);
    }
    var matches = new LinkedHashSet<String>();
    for (String query : queries) {
      if (query.endsWith(":")) {
        all.stream().filter(name -> name.startsWith(query)).forEach(matches::add);
      } else if (query.equals(AllocationContext.NAME)
          || exports.context(exportName, query).isPresent()) {
        matches.add(query);
      }
    }
    return matches;
  }

  /** Forgets the selection: every attempt to select does, also one that fails. */
  void clear() {
    selected.clear();
  }

  /**
   * Selects for the export with this name; returns what was selected, in the order of the ids. What
   * we do not know is no error.
   *
   * @throws BlkSnapException {@code EOVERFLOW} for more than {@value #MAX_SELECTED}
   */
  List<String> select(String exportName, List<String> queries) throws BlkSnapException {
    clear();
    selectedFor = exportName;
    for (String query : queries) {
      if (query.equals(AllocationContext.NAME)) {
        selected.put(query, Optional.empty());
      } else {
        exports.context(exportName, query).ifPresent(one -> selected.put(query, Optional.of(one)));
      }
      if (selected.size() > MAX_SELECTED) {
        clear();
        throw new BlkSnapException(
            Errno.EOVERFLOW, "more than " + MAX_SELECTED + " metadata contexts at a time");
      }
    }
    return List.copyOf(selected.keySet());
  }

  /** Whether something holds for a transmission that is entered by this name. */
  boolean anyFor(String exportName) {
    return selectedFor.equals(exportName) && !selected.isEmpty();
  }

  /** What holds for a transmission that was entered by this name. */
  List<NbdContext> of(String exportName, BlockDevice device) {
    var contexts = new ArrayList<NbdContext>();
    if (selectedFor.equals(exportName)) {
      for (Optional<MetaContext> one : selected.values()) {
        contexts.add(
            new NbdContext(
                contexts.size() + 1, one.orElseGet(() -> new AllocationContext(device))));
      }
    }
    return contexts;
  }
}
