package blksnap.fuzz;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads what a client sent and what it got as the protocol defines it, and complains of every
 * answer that is owed and missing, of every answer that is not owed, and of every wrong one. Knows
 * what the changes that were asked for may have made of a device.
 */
final class NbdReferee {
  private static final int FUA = 1;
  private static final int NO_HOLE = 2;
  private static final int DF = 4;
  private static final int REQ_ONE = 8;
  private static final int FAST_ZERO = 16;
  private static final int NOT_FAST = 95;
  private static final int MAX_PAYLOAD = 32 << 20;
  private static final int MAX_OPTION_BYTES = 64 << 10;
  private static final int MAX_OPTIONS = 256;

  /** One request as it was sent. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Request(
      int flags, int type, long cookie, long offset, long length, byte[] payload) {}

  private final String story;
  private final ByteBuffer sent;
  private final ByteBuffer got;

  /** Whether the client took all that was sent to it. */
  private final boolean heardAll;

  private final Map<String, byte[]> models;
  private final Set<String> readOnly;
  private final List<Request> requests = new ArrayList<>();
  private final Map<Long, Integer> answers = new HashMap<>();
  private final Map<Long, Integer> errors = new HashMap<>();
  private String export = "";
  private boolean structured;
  private boolean extended;
  private String contextsOf = "";

  /** How many metadata contexts were selected. */
  private int contexts;

  private boolean cleanEnd;

  NbdReferee(
      String story,
      byte[] sent,
      byte[] got,
      boolean heardAll,
      Map<String, byte[]> models,
      Set<String> readOnly) {
    this.story = story;
    this.sent = ByteBuffer.wrap(sent);
    this.got = ByteBuffer.wrap(got);
    this.heardAll = heardAll;
    this.models = models;
    this.readOnly = readOnly;
  }

  /** The export that was used; empty when it did not come to that. */
  String export() {
    return export;
  }

  private void check(boolean right, String what) {
    if (!right) {
      throw new AssertionError(story + ": " + what);
    }
  }

  /** Whether so many bytes of an answer are there; if not, nothing is owed any more. */
  private boolean has(int bytes) {
    return got.remaining() >= bytes;
  }

  void judge() {
    if (has(18)) {
      check(got.getLong() == 0x4e42444d41474943L, "a greeting without its magic");
      check(got.getLong() == NbdTalk.IHAVEOPT, "a greeting of the old style");
      got.getShort();
    } else {
      check(!heardAll, "no greeting");
      got.position(got.limit());
    }
    boolean transmission = negotiate();
    if (transmission) {
      collect();
      takeReplies();
    }
    check(!heardAll || !got.hasRemaining(), got.remaining() + " bytes that nobody asked for");
  }

  /** Follows the options; true when transmission began. */
  private boolean negotiate() {
    if (sent.remaining() < 4) {
      return false;
    }
    int flags = sent.getInt();
    boolean fixed = (flags & 1) != 0;
    if ((flags & ~3) != 0) {
      return false;
    }
    for (int i = 0; i < MAX_OPTIONS && sent.remaining() >= 16; i++) {
      if (sent.getLong() != NbdTalk.IHAVEOPT) {
        return false;
      }
      int option = sent.getInt();
      int length = sent.getInt();
      if (Integer.compareUnsigned(length, Math.min(MAX_OPTION_BYTES, sent.remaining())) > 0
          || (!fixed && option != 1)) {
        return false;
      }
      ByteBuffer data = sent.slice(sent.position(), length);
      sent.position(sent.position() + length);
      if (option == 1) {
        return !extended && exportName(data, (flags & 2) != 0);
      }
      int answer = finalReply(option, data);
      if (answer == 0 && !heardAll) { // the client did not wait for it
        boolean refused = option == 7 ? !isWhole(data) : option == 11 && data.hasRemaining();
        answer = refused ? -1 : 1;
      }
      if (answer == 0 || (option == 2 && answer == 1)) {
        return false;
      }
      if (answer == 1) {
        if (option == 7) {
          use(name(data));
          return true;
        }
        structured |= option == 8 || option == 11;
        extended |= option == 11;
      }
    }
    return false;
  }

  /** Whether INFO or GO has data that add up, and names an export that there is. */
  private boolean isWhole(ByteBuffer data) {
    int rest = data.limit() - 6;
    if (rest < 0 || data.getInt(0) < 0 || data.getInt(0) > rest) {
      return false;
    }
    int length = data.getInt(0);
    int ids = Short.toUnsignedInt(data.getShort(4 + length));
    return rest - length == 2 * ids && models.containsKey(name(data));
  }

  private boolean exportName(ByteBuffer data, boolean noZeroes) {
    int bytes = noZeroes ? 10 : 134;
    if (!has(bytes)) {
      check(!got.hasRemaining() || !heardAll, "half an answer to EXPORT_NAME");
      got.position(got.limit());
      String name = StandardCharsets.UTF_8.decode(data).toString();
      if (heardAll || !models.containsKey(name)) {
        return false;
      }
      use(name);
      return true;
    }
    check(got.getLong() == NbdTalk.SIZE, "a wrong size");
    got.position(got.position() + bytes - 8);
    use(StandardCharsets.UTF_8.decode(data).toString());
    return true;
  }

  private void use(String name) {
    check(models.containsKey(name), "an export that does not exist: " + name);
    export = name;
    contexts = contextsOf.equals(name) ? contexts : 0;
  }

  private static String name(ByteBuffer data) {
    int length = data.getInt(0);
    return StandardCharsets.UTF_8.decode(data.slice(4, length)).toString();
  }

  /** The type of the last reply to an option; 0 when it did not come. */
  private int finalReply(int option, ByteBuffer data) {
    int selected = 0;
    while (has(20)) {
      check(got.getLong() == 0x0003e889045565a9L, "an option reply without its magic");
      check(got.getInt() == option, "a reply to another option than " + option);
      int type = got.getInt();
      int length = got.getInt();
      if (!has(length)) {
        check(!heardAll, "half an option reply");
        got.position(got.limit());
        return 0;
      }
      ByteBuffer payload = got.slice(got.position(), length);
      got.position(got.position() + length);
      if (type == 3 && payload.getShort(0) == 0) {
        check(payload.getLong(2) == NbdTalk.SIZE, "a wrong size");
      }
      selected += type == 4 ? 1 : 0;
      if (type == 1 || type < 0) {
        if (option == 10) {
          contexts = type == 1 ? selected : 0;
          contextsOf = contexts > 0 ? name(data) : "";
        }
        return type;
      }
    }
    check(!heardAll, "no answer to option " + option);
    got.position(got.limit());
    return 0;
  }

  /** The requests that came whole. */
  private void collect() {
    while (true) {
      if (!sent.hasRemaining()) {
        cleanEnd = true;
        return;
      }
      if (sent.remaining() < (extended ? 32 : 28)
          || sent.getInt() != (extended ? NbdTalk.EXTENDED_MAGIC : NbdTalk.REQUEST_MAGIC)) {
        return;
      }
      int flags = Short.toUnsignedInt(sent.getShort());
      int type = Short.toUnsignedInt(sent.getShort());
      long cookie = sent.getLong();
      long offset = sent.getLong();
      long length = extended ? sent.getLong() : Integer.toUnsignedLong(sent.getInt());
      byte[] payload = new byte[0];
      if (extended ? (flags & NbdTalk.PAYLOAD_LEN) != 0 : type == 1) {
        if (extended && Long.compareUnsigned(length, MAX_PAYLOAD) > 0) {
          return;
        }
        if (type == 2) {
          cleanEnd = true;
          return;
        }
        if (length > sent.remaining()) {
          return;
        }
        payload = new byte[(int) length];
        sent.get(payload);
      }
      if (type == 2) {
        cleanEnd = true;
        return;
      }
      requests.add(new Request(flags, type, cookie, offset, length, payload));
    }
  }

  private boolean isValid(Request r) {
    boolean inside = isInside(r.offset, r.length);
    boolean writable = !readOnly.contains(export);
    return switch (r.type) {
      case 0 -> only(r, FUA | (structured ? DF : 0)) && inside && r.length <= MAX_PAYLOAD;
      case 1 ->
          (extended
                  ? only(r, FUA | NbdTalk.PAYLOAD_LEN)
                      && (r.flags & NbdTalk.PAYLOAD_LEN) != 0
                      && r.length > 0
                  : only(r, FUA))
              && inside
              && writable;
      case 3 -> only(r, FUA) && r.offset == 0 && r.length == 0;
      case 4 -> only(r, FUA) && inside && writable;
      case 5 -> only(r, FUA) && inside;
      case 6 -> only(r, FUA | NO_HOLE | FAST_ZERO) && inside && writable;
      case 7 ->
          contexts > 0
              && (only(r, FUA | REQ_ONE)
                  ? inside && r.length > 0
                  : extended && only(r, FUA | REQ_ONE | NbdTalk.PAYLOAD_LEN) && isFilter(r));
      default -> false;
    };
  }

  private static boolean isInside(long offset, long length) {
    return Long.compareUnsigned(offset, NbdTalk.SIZE) <= 0
        && Long.compareUnsigned(length, NbdTalk.SIZE - offset) <= 0;
  }

  /** Whether the payload of a BLOCK_STATUS names a range, and some of the contexts. */
  private boolean isFilter(Request r) {
    ByteBuffer filter = ByteBuffer.wrap(r.payload);
    if (r.payload.length < 12 || r.payload.length % 4 != 0) {
      return false;
    }
    long length = filter.getLong();
    Set<Integer> ids = new HashSet<>();
    while (filter.hasRemaining()) {
      int id = filter.getInt();
      if (id < 1 || id > contexts || !ids.add(id)) {
        return false;
      }
    }
    return isInside(r.offset, length) && length > 0;
  }

  /** Whether a valid request may all the same be answered like that. */
  private static boolean mayBeRefused(Request r, int error) {
    return r.type == 6 && (r.flags & FAST_ZERO) != 0 && error == NOT_FAST;
  }

  private static boolean only(Request request, int flags) {
    return (request.flags & ~flags) == 0;
  }

  private void takeReplies() {
    Map<Long, Request> byCookie = new HashMap<>();
    Map<Long, Integer> owed = new HashMap<>();
    for (Request request : requests) {
      Request twin = byCookie.put(request.cookie, request);
      if (twin != null && (twin.type != request.type || twin.length != request.length)) {
        got.position(got.limit()); // a client that does this cannot tell its answers apart either
        return;
      }
      owed.merge(request.cookie, 1, Integer::sum);
    }
    while (has(4)) {
      if (!takeReply(byCookie)) {
        break;
      }
    }
    check(!heardAll || !got.hasRemaining() || !cleanEnd, "half a reply");
    got.position(got.limit());
    answers.forEach((cookie, count) ->
        check(count <= owed.getOrDefault(cookie, 0), "an answer too many to " + cookie));
    if (heardAll && cleanEnd) {
      check(answers.equals(owed), "answered " + answers + ", owed " + owed);
    }
    for (Request request : requests) {
      Integer error = errors.get(request.cookie);
      if (error != null && owed.getOrDefault(request.cookie, 0) == 1) {
        boolean right = (error == 0) == isValid(request);
        check(
            right || (isValid(request) && mayBeRefused(request, error)),
            request + " was answered with " + error);
      }
    }
  }

  /** Takes one message; false when it is cut off. */
  private boolean takeReply(Map<Long, Request> byCookie) {
    int magic = got.getInt();
    if (magic == 0x67446698) {
      check(!extended, "a simple reply to a client with extended headers");
      if (!has(12)) {
        return false;
      }
      int error = got.getInt();
      long cookie = got.getLong();
      Request request = byCookie.get(cookie);
      check(request != null, "an answer to an unknown cookie " + cookie);
      if (request != null && error == 0 && request.type == 0) {
        check(!structured, "a simple reply to a structured READ");
        if (!has((int) request.length)) {
          return false;
        }
        got.position(got.position() + (int) request.length);
      }
      answered(cookie, error);
      return true;
    }
    check(
        extended ? magic == 0x6e8a278c : magic == 0x668e33ef && structured,
        "a reply with magic " + Integer.toHexString(magic));
    if (!has(extended ? 28 : 16)) {
      return false;
    }
    int flags = got.getShort();
    int type = Short.toUnsignedInt(got.getShort());
    long cookie = got.getLong();
    long offset = extended ? got.getLong() : 0;
    int length = extended ? Math.toIntExact(got.getLong()) : got.getInt();
    Request asked = byCookie.get(cookie);
    check(
        !extended || asked == null || asked.offset == offset,
        "an answer to an offset that was not asked for: " + offset);
    check(byCookie.containsKey(cookie), "an answer to an unknown cookie " + cookie);
    if (!has(length)) {
      return false;
    }
    int error = type >= 0x8000 ? got.getInt(got.position()) : 0;
    got.position(got.position() + length);
    if (error != 0) {
      errors.put(cookie, error);
    }
    if ((flags & 1) != 0) {
      answered(cookie, errors.getOrDefault(cookie, 0));
    }
    return true;
  }

  private void answered(long cookie, int error) {
    answers.merge(cookie, 1, Integer::sum);
    errors.put(cookie, error);
  }

  /** Requests that were answered. */
  int answered() {
    return answers.size();
  }

  /** Compares the export with what it may hold now, byte for byte, and remembers what it holds. */
  void judgeContent(byte[] now) {
    byte[] model = models.getOrDefault(export, now);
    List<Request> changes =
        requests.stream()
            .filter(r -> (r.type == 1 || r.type == 4 || r.type == 6) && isValid(r) && r.length > 0)
            .toList();
    for (int i = 0; i < now.length; i++) {
      if (now[i] != model[i] || !changes.isEmpty()) {
        check(
            mayHold(i, now[i], model[i], changes),
            "byte %d of %s is %d, was %d".formatted(i, export, now[i], model[i]));
      }
    }
    System.arraycopy(now, 0, model, 0, now.length);
  }

  private boolean mayHold(int at, byte now, byte before, List<Request> changes) {
    boolean allowed = false;
    boolean overwritten = false;
    int covering = 0;
    for (Request change : changes) {
      if (at >= change.offset && at < change.offset + change.length) {
        covering++;
        byte value = change.type == 1 ? change.payload[(int) (at - change.offset)] : 0;
        allowed |= now == value;
        boolean sure = change.type == 1 || (change.type == 6 && (change.flags & FAST_ZERO) == 0);
        overwritten |= sure && answers.containsKey(change.cookie);
      }
    }
    boolean beforeMayStay = covering == 0 || !overwritten;
    return allowed || (beforeMayStay && now == before);
  }
}
