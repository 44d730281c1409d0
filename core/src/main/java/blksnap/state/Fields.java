package blksnap.state;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.function.Function;

/**
 * The named fields of a record. Reading a field that is missing or of another type is {@code
 * EBADMSG}, naming it. Used by one thread at a time.
 */
public final class Fields {
  private final JsonObject json;

  public Fields() {
    this(new JsonObject());
  }

  Fields(JsonObject json) {
    this.json = json;
  }

  JsonObject json() {
    return json;
  }

  public Fields put(String name, String value) {
    json.addProperty(name, value);
    return this;
  }

  public Fields put(String name, long value) {
    json.addProperty(name, value);
    return this;
  }

  public Fields put(String name, boolean value) {
    json.addProperty(name, value);
    return this;
  }

  /** Leaves the field out when there is no value. */
  public Fields put(String name, OptionalLong value) {
    value.ifPresent(present -> json.addProperty(name, present));
    return this;
  }

  public Fields put(String name, List<Fields> values) {
    var array = new JsonArray();
    values.forEach(value -> array.add(value.json));
    json.add(name, array);
    return this;
  }

  public boolean has(String name) {
    return json.has(name);
  }

  public String text(String name) throws BlkSnapException {
    return read(name, Fields::string);
  }

  public long number(String name) throws BlkSnapException {
    return read(name, Fields::whole);
  }

  public int smallNumber(String name) throws BlkSnapException {
    return read(name, element -> Math.toIntExact(whole(element)));
  }

  public OptionalLong optionalNumber(String name) throws BlkSnapException {
    return has(name) ? OptionalLong.of(number(name)) : OptionalLong.empty();
  }

  public boolean flag(String name) throws BlkSnapException {
    return read(
        name,
        element -> {
          JsonPrimitive value = element.getAsJsonPrimitive();
          if (!value.isBoolean()) {
            throw new IllegalArgumentException(
                "not true or false"); // Gson takes any text for false
          }
          return value.getAsBoolean();
        });
  }

  public UUID uuid(String name) throws BlkSnapException {
    return read(name, element -> UUID.fromString(string(element)));
  }

  /** One of an enum's constants, by its name in lower case. */
  public <E extends Enum<E>> E word(String name, Class<E> type) throws BlkSnapException {
    String text = text(name);
    for (E constant : type.getEnumConstants()) {
      if (constant.name().equalsIgnoreCase(text)) {
        return constant;
      }
    }
    throw bad(name, null);
  }

  public List<Fields> list(String name) throws BlkSnapException {
    return read(
        name,
        element -> {
          List<Fields> fields = new ArrayList<>();
          element
              .getAsJsonArray()
              .forEach(entry -> fields.add(new Fields(entry.getAsJsonObject())));
          return fields;
        });
  }

  private static String string(JsonElement element) {
    JsonPrimitive value = element.getAsJsonPrimitive();
    if (!value.isString()) {
      throw new IllegalArgumentException("not a text");
    }
    return value.getAsString();
  }

  /** Gson would cut a fraction off, and keep the low bits of what is too large. */
  private static long whole(JsonElement element) {
    JsonPrimitive value = element.getAsJsonPrimitive();
    if (!value.isNumber()) {
      throw new IllegalArgumentException("not a number");
    }
    return Long.parseLong(value.getAsString());
  }

  private <T> T read(String name, Function<JsonElement, T> reader) throws BlkSnapException {
    JsonElement element = json.get(name);
    if (element == null) {
      throw bad(name, null);
    }
    try {
      return reader.apply(element);
    } catch (IllegalArgumentException
        | IllegalStateException
        | ArithmeticException
        | UnsupportedOperationException e) { // what Gson and the parsers throw for another type
      throw bad(name, e);
    }
  }

  private BlkSnapException bad(String name, @org.jspecify.annotations.Nullable Throwable cause) {
    return new BlkSnapException(
        Errno.EBADMSG,
        "field '" + name + "' of record " + json + " is missing or of another type",
        cause);
  }
}
