package blksnap.ctrl;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlCodec.Answer;
import blksnap.ctrl.CtrlCodec.Incoming;
import blksnap.error.BlkSnapException;
import com.google.gson.JsonElement;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What {@code docs/ctrl.md} shows is what the codec does, byte for byte. */
final class CtrlDocTest {
  private static final String SENT = "--> ";
  private static final String RECEIVED = "<-- ";

  /** A line to the engine, and those that come back. */
  record Example(String sent, List<String> received) {}

  static List<Example> examples() throws IOException {
    var examples = new ArrayList<Example>();
    for (String line : document()) {
      if (line.startsWith(SENT)) {
        examples.add(new Example(line.substring(SENT.length()), new ArrayList<>()));
      } else if (line.startsWith(RECEIVED)) {
        examples.getLast().received().add(line.substring(RECEIVED.length()));
      }
    }
    return examples;
  }

  private static List<String> document() throws IOException {
    return Files.readAllLines(Path.of("docs", "ctrl.md"));
  }

  @ParameterizedTest
  @MethodSource("examples")
  void showsLinesAsTheCodecWritesThem(Example example) throws BlkSnapException {
    assertThat(example.received()).isNotEmpty();
    switch (CtrlCodec.incoming(example.sent().getBytes(StandardCharsets.UTF_8))) {
      case Incoming.Refused(var id, int code, var why) ->
          assertThat(example.received()).containsExactly(text(CtrlCodec.error(id, code, why)));
      case Incoming.Call call -> {
        long id = call.id().getAsLong();
        assertThat(example.sent())
            .isEqualTo(text(CtrlCodec.request(id, call.request(), call.progress(), call.cancel())));
        for (String line : example.received()) {
          assertThat(line).isEqualTo(text(again(call, line)));
        }
      }
    }
  }

  /** The line, read by a client that made the call, and written anew. */
  private static byte[] again(Incoming.Call call, String line) throws BlkSnapException {
    return switch (CtrlCodec.answer(line.getBytes(StandardCharsets.UTF_8))) {
      case Answer.Reply(long id, JsonFields result) ->
          CtrlCodec.reply(new JsonPrimitive(id), ReplyJson.read(call.request(), result));
      case Answer.Failure(var id, var why) ->
          CtrlCodec.error(new JsonPrimitive(id.orElseThrow()), why);
      case Answer.Progress(long id, var progress) ->
          CtrlCodec.progress(new JsonPrimitive(id), progress);
    };
  }

  private static String text(byte[] line) {
    return new String(line, 0, line.length - 1, StandardCharsets.UTF_8);
  }

  @Test
  void showsEveryMethodAndNoOther() throws IOException {
    var headings = new ArrayList<String>();
    for (String line : document()) {
      if (line.startsWith("### `")) {
        headings.add(line.substring("### `".length(), line.length() - 1));
      }
    }
    assertThat(headings).isEqualTo(CtrlMethod.WORDS);
  }

  @Test
  void hasAnAnsweredExampleOfEveryRequest() throws IOException {
    Set<String> methods = new HashSet<>();
    for (Example example : examples()) {
      if (CtrlCodec.incoming(example.sent().getBytes(StandardCharsets.UTF_8))
          instanceof Incoming.Call call) {
        methods.add(CtrlMethod.of(call.request()).word());
      }
    }
    assertThat(methods).containsExactlyInAnyOrderElementsOf(CtrlMethod.WORDS);
  }

  @Test
  void namesEveryFieldThatTheExamplesHave() throws IOException {
    String document = String.join("\n", document());
    Set<String> fields = new HashSet<>();
    for (CtrlSamples.Exchange exchange : CtrlSamples.exchanges()) {
      collect(RequestJson.params(exchange.request()), fields);
      collect(ReplyJson.of(exchange.reply()), fields);
    }
    assertThat(fields)
        .hasSizeGreaterThan(50)
        .allSatisfy(f -> assertThat(document).contains("`" + f + "`"));
  }

  private static void collect(JsonElement element, Set<String> fields) {
    if (element.isJsonObject()) {
      for (var member : element.getAsJsonObject().entrySet()) {
        fields.add(member.getKey());
        collect(member.getValue(), fields);
      }
    } else if (element.isJsonArray()) {
      for (var entry : element.getAsJsonArray()) {
        collect(entry, fields);
      }
    }
  }

  @Test
  void namesTheLimitsAsTheyAre() throws IOException {
    String document = String.join("\n", document());
    assertThat(document)
        .contains("| bytes of a request | 1,048,576 |")
        .contains("| bytes of a reply | 16,777,216 |");
    assertThat(CtrlCodec.MAX_REQUEST_BYTES).isEqualTo(1_048_576);
    assertThat(CtrlCodec.MAX_REPLY_BYTES).isEqualTo(16_777_216);
    assertThat(List.of(JsonText.MAX_NESTING, CtrlCodec.MAX_ID_CHARS, LineQueue.MAX_LINES))
        .containsExactly(64, 128, 1024);
    assertThat(CtrlLimits.DEFAULT)
        .isEqualTo(new CtrlLimits(64, 60_000, 3_600_000, 60_000, 2_000, 30_000, 5_000));
  }
}
