package blksnap.nbd;

import java.util.List;

/**
 * The metadata contexts of one negotiation: which exist, which a query means, and what was selected
 * for which name.
 */
final class NbdMetaContexts {
  /** The one context there is: which parts of an export are holes. */
  static final String ALLOCATION = "base:allocation";

  /** Its id in replies, once selected. */
  static final int ALLOCATION_ID = 1;

  /** Asks for everything in its namespace, but only when listing. */
  private static final String BASE_WILDCARD = "base:";

  private boolean allocationSelected;
  private String selectedFor = "";

  /** Contexts to list for the queries; none means all. */
  static List<String> list(List<String> queries) {
    boolean listed =
        queries.isEmpty() || queries.contains(ALLOCATION) || queries.contains(BASE_WILDCARD);
    return listed ? List.of(ALLOCATION) : List.of();
  }

  /** Forgets the selection: every attempt to select does, also one that fails. */
  void clear() {
    allocationSelected = false;
  }

  /**
   * Selects for the export with this name; returns what was selected. What we do not know is no
   * error.
   */
  List<String> select(String exportName, List<String> queries) {
    allocationSelected = queries.contains(ALLOCATION);
    selectedFor = exportName;
    return allocationSelected ? List.of(ALLOCATION) : List.of();
  }

  /** Whether {@code base:allocation} holds for a transmission that was entered by this name. */
  boolean allocation(String exportName) {
    return allocationSelected && selectedFor.equals(exportName);
  }
}
