package blksnap.cli.repl;

import java.io.IOException;
import java.util.Map;
import org.jline.reader.LineReader;
import org.jline.reader.impl.DefaultHighlighter;
import org.jline.reader.impl.LineReaderImpl;
import org.jline.terminal.Terminal;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStyle;

/**
 * Reads lines without a colour or any other style: what is typed, searched, selected and offered
 * looks alike.
 */
final class PlainReader extends LineReaderImpl {
  PlainReader(Terminal terminal, String name, Map<String, Object> variables) throws IOException {
    super(terminal, name, variables);
    setHighlighter(
        new DefaultHighlighter() {
          @Override
          public AttributedString highlight(LineReader reader, String buffer) {
            return new AttributedString(buffer);
          }
        });
  }

  @Override
  protected AttributedStyle getCompletionStyle(String name, String usual) {
    return AttributedStyle.DEFAULT;
  }
}
