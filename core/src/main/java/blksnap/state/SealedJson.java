package blksnap.state;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A record that other programs may read: a JSON object of one line with two fields, the record
 * under a name that says what it is, and {@code sha256}, the hash of the record's text as it stands
 * there.
 */
public final class SealedJson {
  /** Longest text that is read. */
  public static final int MAX_BYTES = 1 << 20;

  private static final String SEAL = "sha256";

  private SealedJson() {}

  public static byte[] write(String kind, Fields record) {
    var sealed = new JsonObject();
    sealed.add(kind, record.json());
    sealed.addProperty(SEAL, hash(record.json()));
    return (sealed + "\n").getBytes(StandardCharsets.UTF_8);
  }

  /**
   * @param name of the file, for messages
   * @throws BlkSnapException {@code EBADMSG}, with a sentence for each, when it is no JSON, is of
   *     another kind, or was changed
   */
  public static Fields read(String kind, byte[] text, String name) throws BlkSnapException {
    JsonObject sealed;
    try {
      sealed = JsonParser.parseString(new String(text, StandardCharsets.UTF_8)).getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw new BlkSnapException(Errno.EBADMSG, name + " does not hold a JSON object", e);
    }
    JsonElement record = sealed.get(kind);
    JsonElement seal = sealed.get(SEAL);
    if (record == null || !record.isJsonObject() || seal == null || !seal.isJsonPrimitive()) {
      throw new BlkSnapException(Errno.EBADMSG, name + " does not hold a " + kind);
    }
    if (!hash(record.getAsJsonObject()).equals(seal.getAsString())) {
      throw new BlkSnapException(Errno.EBADMSG, name + " has a bad checksum");
    }
    return new Fields(record.getAsJsonObject());
  }

  private static String hash(JsonObject record) {
    byte[] text = record.toString().getBytes(StandardCharsets.UTF_8);
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Java has no SHA-256", e);
    }
  }
}
