package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import blksnap.status.StatusNode;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;

/** The two JSON forms of a part of the status tree. */
final class TreeJson {
  private TreeJson() {}

  /** The form on the wire, which keeps order and writability. */
  static JsonObject of(StatusNode node) {
    var object = new JsonObject();
    object.addProperty("name", node.name());
    switch (node) {
      case StatusNode.Attribute(_, String value, boolean writable) -> {
        object.addProperty("value", value);
        object.addProperty("writable", writable);
      }
      case StatusNode.Directory(_, List<StatusNode> entries) -> {
        var array = new JsonArray(entries.size());
        for (StatusNode entry : entries) {
          array.add(of(entry));
        }
        object.add("entries", array);
      }
    }
    return object;
  }

  /** Reads {@link #of}; an object with {@code entries} is a directory. */
  static StatusNode read(JsonFields fields) throws BlkSnapException {
    String name = fields.text("name");
    if (!fields.has("entries")) {
      return new StatusNode.Attribute(name, fields.text("value"), fields.flag("writable"));
    }
    var entries = new ArrayList<StatusNode>();
    for (JsonFields entry : fields.objects("entries")) {
      entries.add(read(entry));
    }
    return new StatusNode.Directory(name, entries);
  }

  /**
   * The form for people's scripts: a directory is an object of its entries, a value is a string. A
   * lone value is an object of one member, so that the result always is an object.
   */
  static JsonObject nested(StatusNode node) {
    return switch (node) {
      case StatusNode.Directory(_, List<StatusNode> entries) -> {
        var object = new JsonObject();
        for (StatusNode entry : entries) {
          switch (entry) {
            case StatusNode.Attribute(String name, String value, _) ->
                object.addProperty(name, value);
            case StatusNode.Directory below -> object.add(below.name(), nested(below));
          }
        }
        yield object;
      }
      case StatusNode.Attribute(String name, String value, _) -> {
        var object = new JsonObject();
        object.addProperty(name, value);
        yield object;
      }
    };
  }
}
