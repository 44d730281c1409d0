package blksnap.cli.upstream;

import com.google.gson.JsonObject;
import java.io.PrintWriter;

/** The form in which upstream prints values: one {@code key=value} a line. */
final class KeyLines {
  private KeyLines() {}

  /** The members of an object of plain values, in their order. */
  static void print(PrintWriter out, JsonObject object) {
    object
        .entrySet()
        .forEach(member -> out.println(member.getKey() + "=" + member.getValue().getAsString()));
  }
}
