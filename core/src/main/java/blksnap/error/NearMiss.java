package blksnap.error;

import java.util.Locale;
import java.util.Optional;

/** Finds the word somebody probably meant. */
public final class NearMiss {
  /** Longer words are not compared; it keeps a comparison under 64 x 64 steps. */
  static final int MAX_WORD_CHARS = 64;

  private NearMiss() {}

  /**
   * The word most like {@code typed}, if any is like it: at most a third of its letters, and at
   * least one, may be wrong, missing, too many or swapped with a neighbour; upper and lower case
   * are alike. Words without a letter in common are never alike. The first of equals wins. A word
   * that begins with what was typed, three letters at least, is like it as well.
   */
  public static Optional<String> of(String typed, Iterable<String> words) {
    String wanted = typed.toLowerCase(Locale.ROOT);
    if (wanted.isEmpty() || wanted.length() > MAX_WORD_CHARS) {
      return Optional.empty();
    }
    Optional<String> best = Optional.empty();
    int bestDistance = Math.max(1, wanted.length() / 3) + 1;
    for (String word : words) {
      if (word.length() > MAX_WORD_CHARS) {
        continue;
      }
      String known = word.toLowerCase(Locale.ROOT);
      int distance = wanted.length() >= 3 && known.startsWith(wanted) ? 1 : distance(wanted, known);
      boolean common = distance < Math.max(wanted.length(), known.length());
      if (common && distance < bestDistance) {
        best = Optional.of(word);
        bestDistance = distance;
      }
    }
    return best;
  }

  /** The end of a hint: what was probably meant; nothing when no word is like it. */
  public static Optional<String> hint(String typed, Iterable<String> words) {
    return of(typed, words).map(word -> "did you mean '" + word + "'?");
  }

  /** Edits (replace, insert, remove, swap neighbours) that make one word of the other. */
  static int distance(String from, String to) {
    int[] twoBack = new int[to.length() + 1];
    int[] oneBack = new int[to.length() + 1];
    int[] row = new int[to.length() + 1];
    for (int j = 0; j <= to.length(); j++) {
      oneBack[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        boolean same = from.charAt(i - 1) == to.charAt(j - 1);
        int edits = oneBack[j - 1] + (same ? 0 : 1);
        edits = Math.min(edits, Math.min(oneBack[j], row[j - 1]) + 1);
        if (i > 1
            && j > 1
            && from.charAt(i - 1) == to.charAt(j - 2)
            && from.charAt(i - 2) == to.charAt(j - 1)) {
          edits = Math.min(edits, twoBack[j - 2] + 1);
        }
        row[j] = edits;
      }
      int[] spare = twoBack;
      twoBack = oneBack;
      oneBack = row;
      row = spare;
    }
    return oneBack[to.length()];
  }
}
