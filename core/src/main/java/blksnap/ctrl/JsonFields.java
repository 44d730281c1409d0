package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.NearMiss;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The fields of one JSON object, each taken once, by name and type. Whoever has taken all it knows
 * calls {@link #endOfRequest}, as a field beyond those is an error in a request. Every complaint
 * has the field's name and its value.
 */
final class JsonFields {
  /** Characters of a value that a complaint shows. */
  static final int MAX_SHOWN_CHARS = 100;

  private final JsonObject object;

  /** What stands before a field's name in a complaint: empty, or such as {@code ranges[3].}. */
  private final String prefix;

  /** The error of every complaint: a request's fault or a reply's. */
  private final Errno errno;

  private final List<String> known = new ArrayList<>();

  private JsonFields(JsonObject object, String prefix, Errno errno) {
    this.object = object;
    this.prefix = prefix;
    this.errno = errno;
  }

  /** Complaints are {@code EINVAL}: what a client asked is wrong. */
  static JsonFields ofRequest(JsonObject object) {
    return new JsonFields(object, "", Errno.EINVAL);
  }

  /** Complaints are {@code EBADMSG}: what an engine answered cannot be understood. */
  static JsonFields ofReply(JsonObject object) {
    return new JsonFields(object, "", Errno.EBADMSG);
  }

  boolean has(String name) {
    known.add(name);
    return object.has(name);
  }

  String text(String name) throws BlkSnapException {
    return asText(value(name), name);
  }

  Optional<String> optionalText(String name) throws BlkSnapException {
    return has(name) ? Optional.of(text(name)) : Optional.empty();
  }

  boolean flag(String name) throws BlkSnapException {
    JsonElement value = value(name);
    if (value instanceof JsonPrimitive primitive && primitive.isBoolean()) {
      return primitive.getAsBoolean();
    }
    throw wrong(name, value, "true or false");
  }

  /** A whole number that is not negative. */
  long count(String name) throws BlkSnapException {
    return whole(name, 0, Long.MAX_VALUE);
  }

  OptionalLong optionalCount(String name) throws BlkSnapException {
    return has(name) ? OptionalLong.of(count(name)) : OptionalLong.empty();
  }

  /** A whole number from {@code minimum} to {@code maximum}, both inclusive. */
  long whole(String name, long minimum, long maximum) throws BlkSnapException {
    JsonElement value = value(name);
    if (value instanceof JsonPrimitive primitive
        && primitive.isNumber()
        && primitive.getAsNumber() instanceof Long number
        && number >= minimum
        && number <= maximum) {
      return number;
    }
    throw wrong(name, value, "a whole number from " + minimum + " to " + maximum);
  }

  /** One of the constants, whose word is its name in lower case. */
  <E extends Enum<E>> E word(String name, E[] constants) throws BlkSnapException {
    JsonElement value = value(name);
    var words = new ArrayList<String>();
    for (E constant : constants) {
      String word = word(constant);
      if (value instanceof JsonPrimitive primitive
          && primitive.isString()
          && word.equals(primitive.getAsString())) {
        return constant;
      }
      words.add(word);
    }
    throw wrong(name, value, "one of " + String.join(", ", words));
  }

  static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  /** An object within this one. */
  JsonFields object(String name) throws BlkSnapException {
    return asObject(value(name), name);
  }

  List<String> texts(String name) throws BlkSnapException {
    JsonArray array = array(name);
    var texts = new ArrayList<String>(array.size());
    for (int i = 0; i < array.size(); i++) {
      texts.add(asText(array.get(i), name + "[" + i + "]"));
    }
    return texts;
  }

  List<JsonFields> objects(String name) throws BlkSnapException {
    JsonArray array = array(name);
    var objects = new ArrayList<JsonFields>(array.size());
    for (int i = 0; i < array.size(); i++) {
      objects.add(asObject(array.get(i), name + "[" + i + "]"));
    }
    return objects;
  }

  /** The complaint that the field's value is not {@code wanted}. */
  BlkSnapException wrong(String name, String wanted) throws BlkSnapException {
    return wrong(name, value(name), wanted);
  }

  /**
   * The complaint that this object, itself a field, cannot be what it should; {@code why} is a
   * clause.
   */
  BlkSnapException wrong(String why) {
    String name = prefix.substring(0, prefix.length() - 1);
    return new BlkSnapException(errno, "the field '" + name + "' is " + shown(object) + ": " + why);
  }

  /** Refuses the first field that nobody asked for; a reply may have some, from a newer engine. */
  void endOfRequest() throws BlkSnapException {
    if (errno != Errno.EINVAL) {
      return;
    }
    for (String name : object.keySet()) {
      if (!known.contains(name)) {
        var refusal =
            new BlkSnapException(
                errno,
                "the field '" + prefix + name + "', " + shown(object.get(name)) + ", is unknown");
        Optional<String> near = NearMiss.of(name, known);
        throw refusal.withHint(
            near.isPresent()
                ? "did you mean '" + near.get() + "'?"
                : known.isEmpty()
                    ? "there are no fields here"
                    : "the fields here are " + String.join(", ", known));
      }
    }
  }

  private JsonElement value(String name) throws BlkSnapException {
    known.add(name);
    if (!object.has(name)) {
      throw new BlkSnapException(errno, "the field '" + prefix + name + "' is missing");
    }
    return object.get(name);
  }

  private JsonArray array(String name) throws BlkSnapException {
    JsonElement value = value(name);
    if (value instanceof JsonArray array) {
      return array;
    }
    throw wrong(name, value, "an array");
  }

  private String asText(JsonElement value, String name) throws BlkSnapException {
    if (value instanceof JsonPrimitive primitive && primitive.isString()) {
      return primitive.getAsString();
    }
    throw wrong(name, value, "a string");
  }

  private JsonFields asObject(JsonElement value, String name) throws BlkSnapException {
    if (value instanceof JsonObject inner) {
      return new JsonFields(inner, prefix + name + ".", errno);
    }
    throw wrong(name, value, "an object");
  }

  private BlkSnapException wrong(String name, JsonElement value, String wanted) {
    return new BlkSnapException(
        errno, "the field '" + prefix + name + "' is " + shown(value) + ", not " + wanted);
  }

  static String shown(JsonElement value) {
    String text = JsonText.text(value);
    return text.length() <= MAX_SHOWN_CHARS ? text : text.substring(0, MAX_SHOWN_CHARS) + "...";
  }
}
