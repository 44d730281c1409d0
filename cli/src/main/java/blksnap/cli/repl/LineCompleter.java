package blksnap.cli.repl;

import java.util.List;
import org.jline.reader.Candidate;
import org.jline.reader.Completer;
import org.jline.reader.LineReader;
import org.jline.reader.ParsedLine;

/** Lets the line reader ask {@link WordCompleter}. */
final class LineCompleter implements Completer {
  private final WordCompleter words;

  LineCompleter(WordCompleter words) {
    this.words = words;
  }

  @Override
  public void complete(LineReader reader, ParsedLine line, List<Candidate> candidates) {
    List<String> before = line.words().subList(0, line.wordIndex());
    String typed = line.word().substring(0, line.wordCursor());
    for (WordCompleter.Word word : words.complete(before, typed)) {
      String description = word.description().isEmpty() ? null : word.description();
      candidates.add(
          new Candidate(word.text(), word.shown(), null, description, null, null, word.finished()));
    }
  }
}
