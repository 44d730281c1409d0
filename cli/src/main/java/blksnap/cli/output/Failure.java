package blksnap.cli.output;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.PrintWriter;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.Optional;

/**
 * Why a command failed, as it is told to people and programs.
 *
 * @param sentence with the values, without the errno's name
 * @param hint what to do about it, or an empty string
 */
public record Failure(Errno errno, String sentence, String hint) {
  /** What every line on stderr begins with. */
  public static final String PREFIX = "blksnap: ";

  /**
   * Judges what a command threw; whatever we did not foresee is {@code EIO} with the exception's
   * own words.
   */
  public static Failure of(Throwable thrown) {
    return switch (thrown) {
      case BlkSnapException refusal ->
          new Failure(refusal.errno(), refusal.sentence(), refusal.hint());
      case InterruptedException _, ClosedByInterruptException _, InterruptedIOException _ ->
          new Failure(Errno.EINTR, "interrupted", "");
      case FileSystemException file -> ofFile(file);
      case IOException io -> new Failure(Errno.EIO, words(io), "");
      default ->
          new Failure(
              Errno.EIO,
              "internal error: " + thrown.getClass().getSimpleName() + ": " + words(thrown),
              "run it again with --debug and report what it prints");
    };
  }

  private static Failure ofFile(FileSystemException file) {
    Errno errno =
        switch (file) {
          case NoSuchFileException _ -> Errno.ENOENT;
          case AccessDeniedException _ -> Errno.EACCES;
          case FileAlreadyExistsException _ -> Errno.EEXIST;
          case NotDirectoryException _ -> Errno.ENOTDIR;
          default -> Errno.EIO;
        };
    String reason = Optional.ofNullable(file.getReason()).orElse(errno.meaning());
    return new Failure(errno, String.valueOf(file.getFile()) + ": " + reason, "");
  }

  private static String words(Throwable thrown) {
    return Optional.ofNullable(thrown.getMessage()).orElse(thrown.getClass().getSimpleName());
  }

  /** The exception that would be told in these words. */
  public BlkSnapException toException() {
    return new BlkSnapException(errno, sentence).withHint(hint);
  }

  /**
   * {@code {"error":{"errno":"EBUSY","number":16,"message":"...","hint":"..."}}}; no hint, no
   * member.
   */
  public JsonObject toJson() {
    var error = new JsonObject();
    error.addProperty("errno", errno.name());
    error.addProperty("number", errno.number());
    error.addProperty("message", sentence);
    if (!hint.isEmpty()) {
      error.addProperty("hint", hint);
    }
    var object = new JsonObject();
    object.add("error", error);
    return object;
  }

  /** Reads what {@link #toJson} made; empty when {@code line} is something else. */
  public static Optional<Failure> parse(String line) {
    JsonElement parsed;
    try {
      parsed = JsonParser.parseString(line);
    } catch (JsonParseException e) {
      return Optional.empty();
    }
    if (parsed instanceof JsonObject object
        && object.get("error") instanceof JsonObject error
        && error.get("number") instanceof JsonPrimitive number
        && error.get("message") instanceof JsonPrimitive message) {
      String hint = error.get("hint") instanceof JsonPrimitive text ? text.getAsString() : "";
      return Optional.of(new Failure(Errno.of(number.getAsInt()), message.getAsString(), hint));
    }
    return Optional.empty();
  }

  /** {@code blksnap: sentence (EERRNO)} and, where there is one, a line with the hint. */
  public void print(PrintWriter err, Palette palette) {
    err.println(palette.alarm(PREFIX + Printable.of(sentence) + " (" + errno + ")"));
    if (!hint.isEmpty()) {
      err.println("hint: " + Printable.of(hint));
    }
  }
}
