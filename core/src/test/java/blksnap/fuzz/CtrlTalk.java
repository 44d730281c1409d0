package blksnap.fuzz;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;

/** Lines for the control socket: a valid request of every method, mutated. */
final class CtrlTalk {
  private static final List<String> REQUESTS =
      List.of(
          "version {}",
          "modinfo {}",
          "unload {'force':false}",
          "param.list {}",
          "param.get {'name':'chunk_minimum_shift'}",
          "param.set {'name':'chunk_minimum_shift','value':'14'}",
          "attach {'path':'@/extra.img','name':'extra','read_only':false,'cache':'writeback'}",
          "detach {'device':'extra'}",
          "devices {}",
          "cbt.info {'device':'disk'}",
          "cbt.map {'device':'disk','since':'0','until':'snap','from_offset':0}",
          "cbt.raw {'device':'disk','until':'snap','from_block':0}",
          "cbt.mark {'device':'disk','ranges':[{'sector':0,'count':8}]}",
          "snapshot.create {'devices':['disk'],'storage':'@/more.diff','limit_bytes':1048576,"
              + "'name':'more','durability':'process','on_full':{'wait':true,'wait_seconds':1},"
              + "'take':true}",
          "snapshot.add {'id':'more','device':'disk'}",
          "snapshot.append_storage {'id':'snap','path':'@/appended.img',"
              + "'ranges':[{'sector':0,'count':2048}]}",
          "snapshot.take {'id':'more'}",
          "snapshot.list {}",
          "snapshot.info {'id':'snap'}",
          "snapshot.images {'id':'snap'}",
          "snapshot.wait {'id':'snap','timeout_ms':0}",
          "snapshot.destroy {'id':'more'}",
          "status {'path':'/'}",
          "cat {'path':'/sys/module/blksnap/version'}",
          "echo {'path':'/sys/module/blksnap/parameters/chunk_minimum_shift','value':'14'}",
          "dmesg {'from_sequence':0,'wait_ms':0}");

  private static final String[] ODD = {
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e400",
    "1e999999999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999",
    "NaN",
    "Infinity",
    "''",
    "'snap'",
    "'calm'",
    "'disk'",
    "'../x'",
    "'a\\u0000b'",
    "'\\ud800'",
    "'\\udc00\\ud800'",
    "[]",
    "{}",
    "[[]]",
    "{'a':{'b':[1,{}]}}",
    "'\\u2028\\r\\n'",
    "-0",
    "0x10",
    "'255'",
    "'256'"
  };

  /** Paths that a request may come to name; whatever else a mutation makes is not sent. */
  private static final Set<String> HARMLESS =
      Set.of("", "snap", "calm", "disk", "../x", "255", "256", "/", "/sys/module/blksnap/version");

  private static final int LONG_LINE = (1 << 20) + 1;

  private final Random random;
  private final String directory;

  CtrlTalk(Random random, String directory) {
    this.random = random;
    this.directory = directory;
  }

  /** One packet of lines; the last may lack its end. */
  byte[] bytes() {
    var all = new ByteArrayOutputStream();
    int lines = random.nextInt(3) == 0 ? 1 + random.nextInt(20) : 1;
    for (int i = 0; i < lines; i++) {
      byte[] line = line(i);
      if (isHarmless(line)) {
        all.writeBytes(line);
        if (i < lines - 1 || random.nextInt(8) != 0) {
          all.write('\n');
        }
      }
    }
    if (random.nextInt(60) == 0) {
      byte[] endless = new byte[LONG_LINE];
      Arrays.fill(endless, (byte) '[');
      all.writeBytes(endless);
    }
    return all.toByteArray();
  }

  private byte[] line(int id) {
    String request = REQUESTS.get(random.nextInt(REQUESTS.size()));
    int space = request.indexOf(' ');
    var object = new JsonObject();
    object.addProperty("jsonrpc", "2.0");
    object.addProperty("blksnap", 1);
    object.addProperty("id", id);
    object.addProperty("method", request.substring(0, space));
    object.add("params", JsonParser.parseString(request.substring(space).replace("@", directory)));
    int kind = random.nextInt(10);
    if (kind < 4) {
      mutate(object, 1 + random.nextInt(2));
    }
    String text = object.toString();
    if (kind == 4) {
      text = oddValue(text);
    }
    if (kind == 5) {
      text = text.replaceFirst(",", "," + text.substring(1, text.indexOf(',')) + ","); // twice
    }
    if (kind == 6) {
      int deep = 1 + random.nextInt(random.nextBoolean() ? 70 : 20_000);
      text =
          random.nextBoolean() ? "[".repeat(deep) : "{\"a\":".repeat(deep) + "1" + "}".repeat(deep);
    }
    if (kind == 7) {
      text = "[" + text + "," + text + "]";
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return kind == 8 ? broken(bytes) : bytes;
  }

  /** Bytes changed, cut off or put in. */
  private byte[] broken(byte[] bytes) {
    int at = random.nextInt(bytes.length);
    switch (random.nextInt(3)) {
      case 0 -> bytes[at] = (byte) random.nextInt();
      case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      default -> {
        return Arrays.copyOf(bytes, at);
      }
    }
    return bytes;
  }

  /** A value in the text replaced by one that a tree could not hold. */
  private String oddValue(String text) {
    int colon = text.indexOf(':', random.nextInt(text.length()));
    if (colon < 0) {
      return text;
    }
    int end = colon + 1;
    while (end < text.length() && ",}]".indexOf(text.charAt(end)) < 0) {
      end++;
    }
    String odd = ODD[random.nextInt(ODD.length)].replace('\'', '"');
    return text.substring(0, colon + 1) + odd + text.substring(end);
  }

  private void mutate(JsonObject object, int times) {
    for (int i = 0; i < times; i++) {
      JsonObject where = object;
      if (random.nextInt(3) != 0 && object.get("params") instanceof JsonObject params) {
        where = params;
      }
      List<String> names = new ArrayList<>(where.keySet());
      if (names.isEmpty()) {
        where.add("extra", odd());
        continue;
      }
      String name = names.get(random.nextInt(names.size()));
      switch (random.nextInt(5)) {
        case 0 -> where.remove(name);
        case 1 -> where.add("extra", odd());
        case 2 -> {
          JsonElement value = where.remove(name);
          where.add(name.toUpperCase(Locale.ROOT), value);
        }
        default -> where.add(name, odd());
      }
    }
  }

  private JsonElement odd() {
    return switch (random.nextInt(7)) {
      case 0 -> JsonNull.INSTANCE;
      case 1 -> new JsonPrimitive(random.nextLong());
      case 2 -> new JsonPrimitive(random.nextInt(600) - 100);
      case 3 -> new JsonPrimitive("\ud83d\ude00".repeat(random.nextInt(200)));
      case 4 -> new JsonArray();
      case 5 -> new JsonObject();
      default ->
          new JsonPrimitive(new String[] {"snap", "calm", "disk", "", "../x"}[random.nextInt(5)]);
    };
  }

  /**
   * Not one that would validly end the engine, destroy the snapshot that the others are about, or
   * name a path outside the test's own directory.
   */
  private boolean isHarmless(byte[] line) {
    JsonElement parsed;
    try {
      parsed = JsonParser.parseString(new String(line, StandardCharsets.UTF_8));
    } catch (JsonParseException e) {
      return true;
    }
    if (!(parsed instanceof JsonObject object)
        || !(object.get("params") instanceof JsonObject params)) {
      return true;
    }
    String method = String.valueOf(object.get("method"));
    if (method.contains("unload") && String.valueOf(params.get("force")).contains("true")) {
      return false;
    }
    if (method.contains("destroy") && String.valueOf(params.get("id")).equals("\"snap\"")) {
      return false;
    }
    for (String name : List.of("path", "storage")) {
      if (method.matches("\"(attach|snapshot.*)\"")
          && params.get(name) instanceof JsonPrimitive path
          && path.isString()
          && !path.getAsString().startsWith(directory + "/")
          && !HARMLESS.contains(path.getAsString())) {
        return false;
      }
    }
    return true;
  }
}
