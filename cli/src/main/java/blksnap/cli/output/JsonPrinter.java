package blksnap.cli.output;

import blksnap.ctrl.CtrlCodec;
import blksnap.ctrl.CtrlReply;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.status.StatusNode;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import java.io.PrintWriter;
import java.util.List;

/**
 * For programs: one JSON object a line, as on the control socket. Of the status tree, directories
 * are objects and values are strings; what is followed is one object an item.
 */
public final class JsonPrinter implements OutputPrinter {
  private final PrintWriter out;

  public JsonPrinter(PrintWriter out) {
    this.out = out;
  }

  @Override
  public void print(CtrlReply reply) {
    if (reply instanceof CtrlReply.Tree(StatusNode node)) {
      tree("/" + node.name(), node);
    } else {
      out.println(CtrlCodec.json(reply));
    }
  }

  @Override
  public void tree(String path, StatusNode node) {
    out.println(CtrlCodec.json(node));
  }

  @Override
  public void parameter(CtrlReply.ParamEntry parameter) {
    out.println(only("parameters", new CtrlReply.Params(List.of(parameter))));
  }

  @Override
  public void listing(StatusNode node) {
    StatusNode shown = node;
    if (node instanceof StatusNode.Directory(String name, List<StatusNode> entries)) {
      shown =
          new StatusNode.Directory(
              name, entries.stream().map(JsonPrinter::withoutEntries).toList());
    }
    out.println(CtrlCodec.json(shown));
  }

  @Override
  public void logLine(LogRing.Line line) {
    out.println(only("lines", new CtrlReply.LogLines(List.of(line))));
  }

  @Override
  public RangeStream ranges() {
    out.print("{\"ranges\":[");
    return new RangeStream() {
      private boolean first = true;

      @Override
      public void add(ByteRange range) {
        out.print(first ? "" : ",");
        out.print("{\"offset\":" + range.offset() + ",\"length\":" + range.length() + "}");
        first = false;
      }

      @Override
      public void close() {
        out.println("]}");
      }
    };
  }

  /**
   * The one element of the list that the protocol's form of {@code reply} has under {@code name}.
   */
  private static JsonElement only(String name, CtrlReply reply) {
    return JsonParser.parseString(CtrlCodec.json(reply))
        .getAsJsonObject()
        .getAsJsonArray(name)
        .get(0);
  }

  private static StatusNode withoutEntries(StatusNode entry) {
    return entry instanceof StatusNode.Directory
        ? new StatusNode.Directory(entry.name(), List.of())
        : entry;
  }
}
