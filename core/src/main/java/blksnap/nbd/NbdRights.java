package blksnap.nbd;

import java.util.List;

/**
 * What one client may use: an export is allowed by the first rule whose pattern it matches.
 *
 * @param rules in the order in which they are asked
 */
record NbdRights(List<Rule> rules) {
  /** Everything, and all of it may be changed. */
  static final NbdRights ALL = new NbdRights(List.of(new Rule("*", false)));

  /** Nothing: for who has not said who it is. */
  static final NbdRights NONE = new NbdRights(List.of());

  NbdRights {
    rules = List.copyOf(rules);
  }

  /**
   * @param pattern a name in which {@code *} stands for any characters, or none
   * @param readOnly whether changes are refused
   */
  record Rule(String pattern, boolean readOnly) {
    /** Each star stands for as little as possible; when that fails, the last one for more. */
    boolean matches(String name) {
      int p = 0;
      int n = 0;
      int star = -1;
      int resume = 0;
      while (n < name.length()) {
        if (p < pattern.length() && pattern.charAt(p) == '*') {
          star = p++;
          resume = n;
        } else if (p < pattern.length() && pattern.charAt(p) == name.charAt(n)) {
          p++;
          n++;
        } else if (star >= 0) {
          p = star + 1;
          n = ++resume;
        } else {
          return false;
        }
      }
      while (p < pattern.length() && pattern.charAt(p) == '*') {
        p++;
      }
      return p == pattern.length();
    }
  }

  /** Whether there is an export, any, that is not allowed. */
  boolean restricted() {
    return !equals(ALL);
  }

  /** Whether the export may be used at all. */
  boolean allows(String exportName) {
    return rules.stream().anyMatch(rule -> rule.matches(exportName));
  }

  /** Whether the export, which is allowed, may not be changed. */
  boolean readOnly(String exportName) {
    return rules.stream()
        .filter(rule -> rule.matches(exportName))
        .findFirst()
        .map(Rule::readOnly)
        .orElse(true);
  }
}
