package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.NearMiss;
import blksnap.status.StatusNode;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Lines of the control socket and what they mean; {@code core/docs/ctrl.md} is the same for people.
 * Pure functions.
 */
public final class CtrlCodec {
  /**
   * The version of the protocol. A field that is added keeps it; a field that changes or goes does
   * not.
   */
  public static final int PROTOCOL_VERSION = 1;

  /** Bytes of the longest request, without its line end. */
  public static final int MAX_REQUEST_BYTES = 1 << 20;

  /** Values of a request: each object, array, string, number, truth value and null is one. */
  static final int MAX_REQUEST_VALUES = 100_000;

  /** Bytes of the longest reply, without its line end. */
  public static final int MAX_REPLY_BYTES = 16 << 20;

  /** Characters of the longest {@code id} that is a string. */
  static final int MAX_ID_CHARS = 128;

  static final int PARSE_ERROR = -32700;
  static final int INVALID_REQUEST = -32600;
  static final int METHOD_NOT_FOUND = -32601;
  static final int INVALID_PARAMS = -32602;

  /** What an engine got. */
  sealed interface Incoming {
    /**
     * @param id to be sent back as it is: a string or a whole number
     * @param progress whether the client wants to know how far it is
     * @param cancel whether it is to be given up when the client hangs up
     */
    record Call(JsonElement id, CtrlRequest request, boolean progress, boolean cancel)
        implements Incoming {
      Call(JsonElement id, CtrlRequest request, boolean progress) {
        this(id, request, progress, false);
      }
    }

    /**
     * @param id null in JSON when there was none that could be understood
     * @param code for {@code error.code}
     */
    record Refused(JsonElement id, int code, BlkSnapException why) implements Incoming {}
  }

  /** What a client got. */
  sealed interface Answer {
    record Reply(long id, JsonFields result) implements Answer {}

    /**
     * @param id empty when the engine could not tell which request it was, or talks about the
     *     connection
     */
    record Failure(OptionalLong id, BlkSnapException why) implements Answer {}

    record Progress(long id, CtrlProgress progress) implements Answer {}
  }

  private CtrlCodec() {}

  /** A reply as the text of one JSON object, on one line: what {@code result} is on the wire. */
  public static String json(CtrlReply reply) {
    return JsonText.text(ReplyJson.of(reply));
  }

  /**
   * A part of the status tree as the text of one JSON object, on one line: directories are objects,
   * values are strings.
   */
  public static String json(StatusNode node) {
    return JsonText.text(TreeJson.nested(node));
  }

  /** The line of a request, with its end. */
  static byte[] request(long id, CtrlRequest request, boolean progress) {
    return request(id, request, progress, false);
  }

  /** The line of a request that may be given up when the client hangs up, with its end. */
  static byte[] request(long id, CtrlRequest request, boolean progress, boolean cancel) {
    var object = new JsonObject();
    object.addProperty("jsonrpc", "2.0");
    object.addProperty("blksnap", PROTOCOL_VERSION);
    object.addProperty("id", id);
    object.addProperty("method", CtrlMethod.of(request).word());
    object.add("params", RequestJson.params(request));
    if (progress) {
      object.addProperty("progress", true);
    }
    if (cancel) {
      object.addProperty("cancel", true);
    }
    return JsonText.line(object);
  }

  /**
   * The line of a reply, with its end; the line of an {@code EOVERFLOW} error when it would be too
   * long.
   */
  static byte[] reply(JsonElement id, CtrlReply reply) {
    var object = new JsonObject();
    object.addProperty("jsonrpc", "2.0");
    object.add("id", id);
    object.add("result", ReplyJson.of(reply));
    byte[] line = JsonText.line(object);
    if (line.length - 1 > MAX_REPLY_BYTES) {
      return error(
          id,
          new BlkSnapException(
              Errno.EOVERFLOW,
              "the reply has "
                  + (line.length - 1)
                  + " bytes, more than the "
                  + MAX_REPLY_BYTES
                  + " that a line may have"));
    }
    return line;
  }

  /** The line of an error whose code is the errno's number, with its end. */
  static byte[] error(JsonElement id, BlkSnapException why) {
    return error(id, why.errno().number(), why);
  }

  /** The line of an error, with its end. */
  static byte[] error(JsonElement id, int code, BlkSnapException why) {
    var data = new JsonObject();
    data.addProperty("errno", why.errno().name());
    if (!why.hint().isEmpty()) {
      data.addProperty("hint", why.hint());
    }
    var error = new JsonObject();
    error.addProperty("code", code);
    error.addProperty("message", why.sentence());
    error.add("data", data);
    var object = new JsonObject();
    object.addProperty("jsonrpc", "2.0");
    object.add("id", id);
    object.add("error", error);
    return JsonText.line(object);
  }

  /** The line that tells how far a request is, with its end. */
  static byte[] progress(JsonElement id, CtrlProgress progress) {
    var params = new JsonObject();
    params.add("id", id);
    params.addProperty("stage", progress.stage());
    params.addProperty("done", progress.done());
    if (progress.total().isPresent()) {
      params.addProperty("total", progress.total().getAsLong());
    }
    var object = new JsonObject();
    object.addProperty("jsonrpc", "2.0");
    object.addProperty("method", "progress");
    object.add("params", params);
    return JsonText.line(object);
  }

  /** Judges a line, without its end, that a client sent. */
  static Incoming incoming(byte[] line) {
    JsonElement element;
    try {
      element = JsonText.parse(line, MAX_REQUEST_VALUES);
    } catch (BlkSnapException e) {
      return new Incoming.Refused(JsonNull.INSTANCE, PARSE_ERROR, e);
    }
    if (element instanceof JsonArray) {
      return new Incoming.Refused(
          JsonNull.INSTANCE,
          INVALID_REQUEST,
          new BlkSnapException(Errno.EINVAL, "batches of requests are not taken")
              .withHint("send one request a line; they are answered in order"));
    }
    if (!(element instanceof JsonObject object)) {
      return new Incoming.Refused(
          JsonNull.INSTANCE,
          INVALID_REQUEST,
          new BlkSnapException(
              Errno.EINVAL, "the line is " + JsonFields.shown(element) + ", not an object"));
    }
    return incoming(object);
  }

  private static Incoming incoming(JsonObject object) {
    JsonElement id = JsonNull.INSTANCE;
    try {
      id = id(object);
      JsonFields envelope = JsonFields.ofRequest(object);
      envelope.has("id");
      checkVersion(envelope);
      String method = envelope.text("method");
      boolean progress = envelope.has("progress") && envelope.flag("progress");
      boolean cancel = envelope.has("cancel") && envelope.flag("cancel");
      JsonFields params =
          envelope.has("params")
              ? JsonFields.ofRequest(params(object.get("params")))
              : JsonFields.ofRequest(new JsonObject());
      envelope.endOfRequest();
      if (!CtrlMethod.WORDS.contains(method)) {
        return new Incoming.Refused(id, METHOD_NOT_FOUND, unknown(method));
      }
      return call(id, method, params, progress, cancel);
    } catch (BlkSnapException e) {
      int code = e.errno() == Errno.EPROTO ? Errno.EPROTO.number() : INVALID_REQUEST;
      return new Incoming.Refused(id, code, e);
    }
  }

  private static Incoming call(
      JsonElement id, String method, JsonFields params, boolean progress, boolean cancel) {
    try {
      CtrlRequest request = RequestJson.read(CtrlMethod.of(method), params);
      params.endOfRequest();
      return new Incoming.Call(id, request, progress, cancel);
    } catch (BlkSnapException e) {
      return new Incoming.Refused(id, INVALID_PARAMS, e);
    }
  }

  private static JsonElement id(JsonObject object) throws BlkSnapException {
    if (!object.has("id")) {
      throw new BlkSnapException(Errno.EINVAL, "the field 'id' is missing")
          .withHint("every request is answered, so every request needs an id");
    }
    JsonElement id = object.get("id");
    if (id instanceof JsonPrimitive primitive
        && (primitive.isString()
            ? primitive.getAsString().length() <= MAX_ID_CHARS
            : primitive.isNumber() && primitive.getAsNumber() instanceof Long)) {
      return id;
    }
    throw new BlkSnapException(
        Errno.EINVAL,
        "the field 'id' is "
            + JsonFields.shown(id)
            + ", not a whole number or a string of at most "
            + MAX_ID_CHARS
            + " characters");
  }

  /** Before any other field is judged: what another version has there is not our business. */
  private static void checkVersion(JsonFields envelope) throws BlkSnapException {
    if (envelope.has("blksnap")) {
      long version = envelope.whole("blksnap", 1, Long.MAX_VALUE);
      if (version > PROTOCOL_VERSION) {
        throw new BlkSnapException(
                Errno.EPROTO,
                "this engine speaks version "
                    + PROTOCOL_VERSION
                    + " of the control protocol, not "
                    + version)
            .withHint("use the client that came with the engine, or load the newer engine");
      }
    }
    if (!envelope.text("jsonrpc").equals("2.0")) {
      throw envelope.wrong("jsonrpc", "\"2.0\"");
    }
  }

  private static JsonObject params(JsonElement params) throws BlkSnapException {
    if (params instanceof JsonObject object) {
      return object;
    }
    throw new BlkSnapException(
        Errno.EINVAL,
        "the field 'params' is " + JsonFields.shown(params) + ", not an object of named fields");
  }

  private static BlkSnapException unknown(String method) {
    var refusal =
        new BlkSnapException(
            Errno.ENOSYS, "there is no method " + JsonFields.shown(new JsonPrimitive(method)));
    Optional<String> near = NearMiss.of(method, CtrlMethod.WORDS);
    return near.isPresent()
        ? refusal.withHint("did you mean \"" + near.get() + "\"?")
        : refusal.withHint("the methods are " + String.join(", ", CtrlMethod.WORDS));
  }

  /**
   * Reads a line, without its end, that an engine sent.
   *
   * @throws BlkSnapException {@code EBADMSG} when it cannot be understood
   */
  static Answer answer(byte[] line) throws BlkSnapException {
    if (!(JsonText.parse(line, Integer.MAX_VALUE) instanceof JsonObject object)) {
      throw new BlkSnapException(Errno.EBADMSG, "the engine's line is not an object");
    }
    JsonFields fields = JsonFields.ofReply(object);
    if (fields.has("method")) {
      return progress(fields);
    }
    if (fields.has("error")) {
      return failure(object, fields.object("error"));
    }
    return new Answer.Reply(id(fields), fields.object("result"));
  }

  private static Answer progress(JsonFields fields) throws BlkSnapException {
    if (!fields.text("method").equals("progress")) {
      throw fields.wrong("method", "\"progress\"");
    }
    JsonFields params = fields.object("params");
    long done = params.count("done");
    OptionalLong total =
        params.has("total")
            ? OptionalLong.of(params.whole("total", done, Long.MAX_VALUE))
            : OptionalLong.empty();
    return new Answer.Progress(id(params), new CtrlProgress(params.text("stage"), done, total));
  }

  private static Answer failure(JsonObject object, JsonFields error) throws BlkSnapException {
    JsonFields data = error.object("data");
    var why = new BlkSnapException(EntryJson.errno(data.text("errno")), error.text("message"));
    Optional<String> hint = data.optionalText("hint");
    boolean anonymous = !object.has("id") || object.get("id").isJsonNull();
    return new Answer.Failure(
        anonymous ? OptionalLong.empty() : OptionalLong.of(id(JsonFields.ofReply(object))),
        hint.isPresent() ? why.withHint(hint.get()) : why);
  }

  private static long id(JsonFields fields) throws BlkSnapException {
    return fields.whole("id", Long.MIN_VALUE, Long.MAX_VALUE);
  }
}
