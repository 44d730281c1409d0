package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * One line of JSON and its tree, by the letter of RFC 8259, and stricter where that leaves a
 * choice: UTF-8 only, no name twice in an object, no half surrogate pairs, no U+0000 in strings,
 * nesting limited. Own code builds and prints the tree because Gson's would load its
 * reflection-driven adapters, which a one-shot client has no time for.
 */
final class JsonText {
  /**
   * Levels of objects and arrays within each other; the deepest reply, a status tree, needs two a
   * level.
   */
  static final int MAX_NESTING = 64;

  /** Digits of the longest whole number that fits 64 bits, and its sign. */
  private static final int MAX_LONG_CHARS = 20;

  private static final String HEX = "0123456789abcdef";

  private JsonText() {}

  /**
   * The tree of one line.
   *
   * @param line without its end
   * @param maxValues most values in it, each object, array and scalar being one
   * @throws BlkSnapException {@code EBADMSG} when it is not exactly one JSON value
   */
  static JsonElement parse(byte[] line, int maxValues) throws BlkSnapException {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line)).toString();
    } catch (CharacterCodingException e) {
      throw new BlkSnapException(Errno.EBADMSG, "the line is not UTF-8", e);
    }
    if (text.isBlank()) {
      throw new BlkSnapException(Errno.EBADMSG, "the line is empty");
    }
    var reader = new JsonReader(new StringReader(text));
    reader.setStrictness(Strictness.STRICT);
    reader.setNestingLimit(MAX_NESTING);
    try {
      JsonElement element = read(reader, new Values(maxValues));
      if (reader.peek() != JsonToken.END_DOCUMENT) {
        throw new BlkSnapException(Errno.EBADMSG, "the line has more than one JSON value");
      }
      return element;
    } catch (BlkSnapException e) {
      throw e;
    } catch (IOException e) { // what it says is meant for users of the library
      throw new BlkSnapException(
          Errno.EBADMSG,
          "the line is not JSON of at most " + MAX_NESTING + " levels, at " + reader.getPath(),
          e);
    }
  }

  private static JsonElement read(JsonReader reader, Values values) throws IOException {
    values.count();
    return switch (reader.peek()) {
      case BEGIN_OBJECT -> readObject(reader, values);
      case BEGIN_ARRAY -> readArray(reader, values);
      case STRING -> new JsonPrimitive(checked(reader.nextString(), reader));
      case NUMBER -> new JsonPrimitive(number(reader.nextString()));
      case BOOLEAN -> new JsonPrimitive(reader.nextBoolean());
      case NULL -> {
        reader.nextNull();
        yield JsonNull.INSTANCE;
      }
      case END_ARRAY, END_OBJECT, NAME, END_DOCUMENT ->
          throw new BlkSnapException(Errno.EBADMSG, "no JSON value at " + reader.getPath());
    };
  }

  private static JsonObject readObject(JsonReader reader, Values values) throws IOException {
    var object = new JsonObject();
    reader.beginObject();
    while (reader.hasNext()) {
      String name = checked(reader.nextName(), reader);
      if (object.has(name)) {
        throw new BlkSnapException(
            Errno.EBADMSG, "the name '" + name + "' stands twice in one object");
      }
      object.add(name, read(reader, values));
    }
    reader.endObject();
    return object;
  }

  private static JsonArray readArray(JsonReader reader, Values values) throws IOException {
    var array = new JsonArray();
    reader.beginArray();
    while (reader.hasNext()) {
      array.add(read(reader, values));
    }
    reader.endArray();
    return array;
  }

  private static String checked(String text, JsonReader reader) throws BlkSnapException {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == 0) {
        throw new BlkSnapException(
            Errno.EBADMSG, "a string has the character U+0000, at " + reader.getPath());
      }
      if (Character.isSurrogate(c)) {
        if (!isPairAt(text, i)) {
          throw new BlkSnapException(
              Errno.EBADMSG, "a string has half a surrogate pair, at " + reader.getPath());
        }
        i++;
      }
    }
    return text;
  }

  private static boolean isPairAt(String text, int index) {
    return index + 1 < text.length()
        && Character.isSurrogatePair(text.charAt(index), text.charAt(index + 1));
  }

  private static Number number(String text) {
    if (text.length() <= MAX_LONG_CHARS) {
      try {
        return Long.valueOf(text);
      } catch (NumberFormatException _) {
        return new OtherNumber(text);
      }
    }
    return new OtherNumber(text);
  }

  /** A tree as a line, with its end. */
  static byte[] line(JsonElement element) {
    var out = new StringBuilder(256);
    append(out, element);
    return out.append('\n').toString().getBytes(StandardCharsets.UTF_8);
  }

  /** A tree as text without blanks or line ends. */
  static String text(JsonElement element) {
    var out = new StringBuilder(256);
    append(out, element);
    return out.toString();
  }

  private static void append(StringBuilder out, JsonElement element) {
    if (element instanceof JsonObject object) {
      char separator = '{';
      for (Map.Entry<String, JsonElement> member : object.entrySet()) {
        appendString(out.append(separator), member.getKey());
        append(out.append(':'), member.getValue());
        separator = ',';
      }
      out.append(object.isEmpty() ? "{}" : "}");
    } else if (element instanceof JsonArray array) {
      char separator = '[';
      for (JsonElement entry : array) {
        append(out.append(separator), entry);
        separator = ',';
      }
      out.append(array.isEmpty() ? "[]" : "]");
    } else if (element instanceof JsonPrimitive primitive && primitive.isString()) {
      appendString(out, primitive.getAsString());
    } else if (element instanceof JsonPrimitive primitive) {
      out.append(primitive.getAsString());
    } else {
      out.append("null");
    }
  }

  private static void appendString(StringBuilder out, String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c == '\n') {
        out.append("\\n");
      } else if (c == '\r') {
        out.append("\\r");
      } else if (c == '\t') {
        out.append("\\t");
      } else if (c < ' ') {
        out.append("\\u00").append(HEX.charAt(c >> 4)).append(HEX.charAt(c & 15));
      } else if (!Character.isSurrogate(c)) {
        out.append(c);
      } else if (isPairAt(text, i)) {
        out.append(c).append(text.charAt(++i));
      } else {
        out.append('\uFFFD'); // half a pair has no form in UTF-8
      }
    }
    out.append('"');
  }

  /** What a line may still have: a few bytes of it can take many of memory. */
  private static final class Values {
    private final int most;
    private int count;

    Values(int most) {
      this.most = most;
    }

    void count() throws BlkSnapException {
      if (count++ == most) {
        throw new BlkSnapException(Errno.EBADMSG, "the line has more than " + most + " values");
      }
    }
  }

  /**
   * A number that is no whole number of 64 bits: kept as it was written, so that a complaint can
   * show it.
   */
  private static final class OtherNumber extends Number {
    private static final long serialVersionUID = 1L;

    private final String text;

    OtherNumber(String text) {
      this.text = text;
    }

    @Override
    public int intValue() {
      throw new NumberFormatException(text);
    }

    @Override
    public long longValue() {
      throw new NumberFormatException(text);
    }

    @Override
    public float floatValue() {
      throw new NumberFormatException(text);
    }

    @Override
    public double doubleValue() {
      throw new NumberFormatException(text);
    }

    @Override
    public String toString() {
      return text;
    }
  }
}
