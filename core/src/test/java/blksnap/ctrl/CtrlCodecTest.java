package blksnap.ctrl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.ctrl.CtrlCodec.Answer;
import blksnap.ctrl.CtrlCodec.Incoming;
import blksnap.ctrl.CtrlSamples.Exchange;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.eventqueue.EventQueue;
import blksnap.status.StatusNode;
import com.google.gson.JsonNull;
import com.google.gson.JsonPrimitive;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CtrlCodecTest {
  static Stream<Exchange> exchanges() {
    return CtrlSamples.exchanges().stream();
  }

  @ParameterizedTest
  @MethodSource("exchanges")
  void readsARequestAsItWasWritten(Exchange exchange) {
    byte[] line = CtrlCodec.request(7, exchange.request(), false);
    assertThat(CtrlCodec.incoming(withoutEnd(line)))
        .isEqualTo(new Incoming.Call(new JsonPrimitive(7L), exchange.request(), false));
  }

  @ParameterizedTest
  @MethodSource("exchanges")
  void readsAReplyAsItWasWritten(Exchange exchange) throws BlkSnapException {
    byte[] line = CtrlCodec.reply(new JsonPrimitive(7), exchange.reply());
    CtrlReply read = read(exchange.request(), line);
    assertThat(read).usingRecursiveComparison().isEqualTo(exchange.reply());
    assertThat(read).hasSameClassAs(exchange.reply());
  }

  @Test
  void samplesHaveEveryRequestThereIs() {
    assertThat(CtrlSamples.exchanges().stream().<Class<?>>map(e -> e.request().getClass()))
        .containsAll(permitted(CtrlRequest.class));
  }

  @Test
  void samplesHaveEveryReplyThereIs() {
    assertThat(CtrlSamples.exchanges().stream().<Class<?>>map(e -> e.reply().getClass()))
        .containsAll(permitted(CtrlReply.class));
  }

  @Test
  void samplesHaveEveryEventThereIs() {
    Set<Class<?>> events = new HashSet<>();
    for (Exchange exchange : CtrlSamples.exchanges()) {
      if (exchange.reply() instanceof CtrlReply.SnapshotEvent(EventQueue.Stamped stamped)) {
        events.add(stamped.event().getClass());
      }
    }
    assertThat(events).isEqualTo(permitted(Event.class));
  }

  @Test
  void listsTheMethodOfEveryRequestAndNoOther() {
    assertThat(
            CtrlSamples.exchanges().stream()
                .map(e -> CtrlMethod.of(e.request()).word())
                .collect(Collectors.toSet()))
        .isEqualTo(Set.copyOf(CtrlMethod.WORDS));
    assertThat(CtrlMethod.WORDS).doesNotHaveDuplicates();
  }

  @Test
  void writesOneLineWhateverStandsInAString() throws BlkSnapException {
    var value = new CtrlReply.Value("a\nb\r\"\\\t\u0001\u2028 ü \uD83D\uDE00");
    byte[] line = CtrlCodec.reply(new JsonPrimitive(1), value);
    assertThat(new String(withoutEnd(line), StandardCharsets.UTF_8)).doesNotContain("\n");
    assertThat(read(new CtrlRequest.Cat("/x"), line)).isEqualTo(value);
  }

  @Test
  void writesHalfASurrogatePairAsAReplacementCharacter() throws BlkSnapException {
    byte[] line = CtrlCodec.reply(new JsonPrimitive(1), new CtrlReply.Value("a\uD83Db"));
    assertThat(read(new CtrlRequest.Cat("/x"), line)).isEqualTo(new CtrlReply.Value("a\uFFFDb"));
  }

  @Test
  void readsTheIdWhateverElseIsWrong() {
    var refused = refused("{\"jsonrpc\":\"2.0\",\"id\":\"abc\",\"method\":\"nonsense\"}");
    assertThat(refused.id()).isEqualTo(new JsonPrimitive("abc"));
  }

  @Test
  void takesARequestWithoutParamsWhenTheMethodHasNone() {
    assertThat(incoming("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}"))
        .isEqualTo(new Incoming.Call(new JsonPrimitive(1L), new CtrlRequest.Version(), false));
  }

  @Test
  void takesALineEndOfTwoCharacters() {
    assertThat(incoming("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\r"))
        .isInstanceOf(Incoming.Call.class);
  }

  @Test
  void leavesAByteOrderMarkAtTheStartOut() {
    assertThat(incoming("\uFEFF{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}"))
        .isInstanceOf(Incoming.Call.class);
  }

  @Test
  void takesTheWishForProgress() {
    byte[] line = CtrlCodec.request(1, new CtrlRequest.Devices(), true);
    assertThat(CtrlCodec.incoming(withoutEnd(line)))
        .isEqualTo(new Incoming.Call(new JsonPrimitive(1L), new CtrlRequest.Devices(), true));
    assertThat(CtrlCodec.incoming(CtrlCodec.request(1, new CtrlRequest.Devices(), false, true)))
        .isEqualTo(
            new Incoming.Call(new JsonPrimitive(1L), new CtrlRequest.Devices(), false, true));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "   ",
        "{",
        "{\"id\":1",
        "nonsense",
        "{'id':1}",
        "{\"id\":1}}",
        "{\"id\":1} {\"id\":2}",
        "{\"id\":1,}",
        "{\"id\":01}",
        "{\"id\":NaN}",
        "{\"id\":\"a\u0000b\"}",
        "{\"id\":\"a\\u0000b\"}",
        "\u0000",
        "{\"id\":\"a\tb\"}",
        "{\"id\":\"\\ud83d\"}",
        "{\"id\":\"\\x\"}",
        "{\"id\":1,\"id\":2}",
        "{\"id\":TRUE}",
        "// comment\r{\"id\":1}"
      })
  void refusesALineThatIsNotJson(String line) {
    var refused = refused(line);
    assertThat(refused.code()).isEqualTo(-32700);
    assertThat(refused.why().errno()).isEqualTo(Errno.EBADMSG);
    assertThat(refused.id()).isEqualTo(JsonNull.INSTANCE);
    assertThat(refused.why().sentence()).doesNotContain("http", "JsonReader", "\n");
  }

  @Test
  void refusesALineThatIsNotUtf8() {
    byte[] line = "{\"id\":\"?\"}".getBytes(StandardCharsets.UTF_8);
    line[7] = (byte) 0xE4;
    var refused = (Incoming.Refused) CtrlCodec.incoming(line);
    assertThat(refused.code()).isEqualTo(-32700);
    assertThat(refused.why()).hasMessage("the line is not UTF-8");
  }

  @ParameterizedTest
  @CsvSource({"[,]", "{\"a\":,}"})
  void refusesNestingBeyondTheLimit(String open, String close) {
    int deeper = JsonText.MAX_NESTING + 1;
    assertThat(refused(open.repeat(deeper) + "1" + close.repeat(deeper)).code()).isEqualTo(-32700);
    assertThat(refused(open.repeat(100_000)).code()).isEqualTo(-32700);
  }

  @Test
  void readsNestingUpToTheLimit() throws BlkSnapException {
    int levels = JsonText.MAX_NESTING;
    String text = "[".repeat(levels) + "]".repeat(levels);
    assertThat(JsonText.text(JsonText.parse(text.getBytes(StandardCharsets.UTF_8), 1_000)))
        .isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"[]", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}]"})
  void refusesBatches(String line) {
    var refused = refused(line);
    assertThat(refused.code()).isEqualTo(-32600);
    assertThat(refused.why()).hasMessage("batches of requests are not taken");
    assertThat(refused.why().hint()).contains("one request a line");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          1                                            | the line is 1, not an object
          "text"                                       | the line is "text", not an object
          null                                         | the line is null, not an object
          {"jsonrpc":"2.0","method":"version"}         | the field 'id' is missing
          {"jsonrpc":"2.0","id":null,"method":"x"}     | the field 'id' is null, not a whole number
          {"jsonrpc":"2.0","id":1.5,"method":"x"}      | the field 'id' is 1.5, not a whole number
          {"jsonrpc":"2.0","id":true,"method":"x"}     | the field 'id' is true, not a whole number
          {"jsonrpc":"2.0","id":[1],"method":"x"}      | the field 'id' is [1], not a whole number
          {"id":1,"method":"version"}                  | the field 'jsonrpc' is missing
          {"jsonrpc":"1.0","id":1,"method":"version"}  | the field 'jsonrpc' is "1.0", not "2.0"
          {"jsonrpc":2,"id":1,"method":"version"}      | the field 'jsonrpc' is 2, not a string
          {"jsonrpc":"2.0","id":1}                     | the field 'method' is missing
          {"jsonrpc":"2.0","id":1,"method":7}          | the field 'method' is 7, not a string
          {"jsonrpc":"2.0","id":1,"method":"version","params":[]} | the field 'params' is [], not an object
          {"jsonrpc":"2.0","id":1,"method":"version","params":null} | the field 'params' is null, not an object
          {"jsonrpc":"2.0","id":1,"method":"version","param":{}} | the field 'param', {}, is unknown
          {"jsonrpc":"2.0","id":1,"method":"version","progress":1} | the field 'progress' is 1, not true or false
          {"jsonrpc":"2.0","id":1,"method":"version","blksnap":0} | the field 'blksnap' is 0, not a whole number
          {"jsonrpc":"2.0","id":1,"method":"version","blksnap":"1"} | the field 'blksnap' is "1", not a whole number
          """)
  void refusesAnEnvelopeThatIsWrong(String line, String sentence) {
    var refused = refused(line);
    assertThat(refused.code()).isEqualTo(-32600);
    assertThat(refused.why().errno()).isEqualTo(Errno.EINVAL);
    assertThat(refused.why().sentence()).startsWith(sentence);
  }

  @Test
  void refusesAnIdThatIsTooLong() {
    String id = "x".repeat(CtrlCodec.MAX_ID_CHARS);
    assertThat(incoming("{\"jsonrpc\":\"2.0\",\"id\":\"" + id + "\",\"method\":\"version\"}"))
        .isInstanceOf(Incoming.Call.class);
    assertThat(
            refused("{\"jsonrpc\":\"2.0\",\"id\":\"y" + id + "\",\"method\":\"version\"}").code())
        .isEqualTo(-32600);
  }

  @Test
  void refusesANewerProtocolBeforeItJudgesAnythingElse() {
    var refused = refused("{\"blksnap\":2,\"id\":9,\"call\":\"something else\"}");
    assertThat(refused.code()).isEqualTo(Errno.EPROTO.number());
    assertThat(refused.id()).isEqualTo(new JsonPrimitive(9L));
    assertThat(refused.why().errno()).isEqualTo(Errno.EPROTO);
    assertThat(refused.why())
        .hasMessage("this engine speaks version 1 of the control protocol, not 2");
  }

  @Test
  void refusesAnUnknownMethodAndSuggestsTheNearest() {
    var refused = refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"snapshot.tkae\"}");
    assertThat(refused.code()).isEqualTo(-32601);
    assertThat(refused.why().errno()).isEqualTo(Errno.ENOSYS);
    assertThat(refused.why()).hasMessage("there is no method \"snapshot.tkae\"");
    assertThat(refused.why().hint()).isEqualTo("did you mean \"snapshot.take\"?");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          detach | {} | the field 'device' is missing
          detach | {"device":1} | the field 'device' is 1, not a string
          detach | {"device":null} | the field 'device' is null, not a string
          detach | {"device":"a","x":[1]} | the field 'x', [1], is unknown
          version | {"x":1} | the field 'x', 1, is unknown
          unload | {"force":"yes"} | the field 'force' is "yes", not true or false
          attach | {"path":"a","read_only":false,"cache":"direct"} | the field 'path' is "a", not an absolute path
          attach | {"path":"/a","read_only":false,"cache":"DIRECT"} | the field 'cache' is "DIRECT", not one of writeback, direct
          attach | {"path":"/a","name":null,"read_only":false,"cache":"direct"} | the field 'name' is null, not a string
          cbt.map | {"device":"a","from_offset":-1} | the field 'from_offset' is -1, not a whole number from 0 to 9223372036854775807
          cbt.map | {"device":"a","from_offset":1.0} | the field 'from_offset' is 1.0, not a whole number from 0 to 9223372036854775807
          cbt.map | {"device":"a","from_offset":1e3} | the field 'from_offset' is 1e3, not a whole number from 0 to 9223372036854775807
          cbt.map | {"device":"a","from_offset":9223372036854775808} | the field 'from_offset' is 9223372036854775808, not a whole number from 0 to 9223372036854775807
          cbt.map | {"device":"a","from_offset":"0"} | the field 'from_offset' is "0", not a whole number from 0 to 9223372036854775807
          cbt.mark | {"device":"a","ranges":{}} | the field 'ranges' is {}, not an array
          cbt.mark | {"device":"a","ranges":[1]} | the field 'ranges[0]' is 1, not an object
          cbt.mark | {"device":"a","ranges":[{"sector":0,"count":0}]} | the field 'ranges[0].count' is 0, not a whole number from 1 to 9223372036854775807
          cbt.mark | {"device":"a","ranges":[{"sector":0,"count":1},{"sector":1}]} | the field 'ranges[1].count' is missing
          cbt.mark | {"device":"a","ranges":[{"sector":0,"count":1,"x":2}]} | the field 'ranges[0].x', 2, is unknown
          cbt.mark | {"device":"a","ranges":[{"sector":9223372036854775807,"count":1}]} | the field 'ranges[0]' is {"sector":9223372036854775807,"count":1}: sectors 9223372036854775807+1 end beyond 2^63 bytes
          snapshot.create | {"devices":["a",1]} | the field 'devices[1]' is 1, not a string
          snapshot.create | {"devices":["a"],"storage":"d"} | the field 'storage' is "d", not an absolute path
          snapshot.create | {"devices":["a"],"storage":"/d","limit_bytes":0} | the field 'limit_bytes' is 0, not a whole number from 1 to 9223372036854775807
          snapshot.create | {"devices":["a"],"storage":"/d","durability":"none","on_full":{"wait":true,"wait_seconds":0}} | the field 'on_full.wait_seconds' is 0, not a whole number from 1 to 2147483647
          snapshot.create | {"devices":["a"],"storage":"/d","durability":"none","on_full":{"wait":false,"wait_seconds":5}} | the field 'on_full' is {"wait":false,"wait_seconds":5}: wait_seconds goes with "wait":true only
          snapshot.create | {"devices":["a"],"storage":"/d","durability":"none","on_full":{"wait":true,"x":0}} | the field 'on_full.x', 0, is unknown
          snapshot.create | {"devices":["a"],"storage":"/d","durability":"none","on_full":{"wait":false},"take":false,"hooks":{"freeze":[],"timeout_ms":1,"best_effort":true}} | the field 'hooks' is {"freeze":[],"timeout_ms":1,"best_effort":true}, not absent, as nothing is taken
          snapshot.take | {"id":"a","hooks":[]} | the field 'hooks' is [], not an object
          snapshot.take | {"id":"a","hooks":{"freeze":["srv"],"timeout_ms":1,"best_effort":true}} | the field 'hooks.freeze' is ["srv"], not absolute paths
          snapshot.take | {"id":"a","hooks":{"freeze":[],"timeout_ms":1,"best_effort":true,"x":0}} | the field 'hooks.x', 0, is unknown
          resize | {"device":"a","size_bytes":0,"force":false,"reconnect":false} | the field 'size_bytes' is 0, not a whole number from 1 to 9223372036854775807
          """)
  void refusesParamsThatAreWrong(String method, String params, String sentence) {
    var refused =
        refused(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\""
                + method
                + "\",\"params\":"
                + params
                + "}");
    assertThat(refused.code()).isEqualTo(-32602);
    assertThat(refused.why().errno()).isEqualTo(Errno.EINVAL);
    assertThat(refused.why()).hasMessage(sentence);
  }

  @Test
  void suggestsTheFieldThatWasMeant() {
    var refused =
        refused(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"detach\","
                + "\"params\":{\"device\":\"a\",\"devise\":\"a\"}}");
    assertThat(refused.why().hint()).isEqualTo("did you mean 'device'?");
  }

  @Test
  void showsOnlyTheStartOfALongValue() {
    var refused =
        refused(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"detach\",\"params\":{\"device\":["
                + "1,".repeat(1000)
                + "1]}}");
    assertThat(refused.why().sentence()).hasSizeLessThan(200).contains("...");
  }

  @Test
  void answersWithAnErrorWhenAReplyIsTooLong() throws BlkSnapException {
    byte[] line =
        CtrlCodec.reply(
            new JsonPrimitive(3), new CtrlReply.Value("x".repeat(CtrlCodec.MAX_REPLY_BYTES)));
    assertThat(CtrlCodec.answer(withoutEnd(line)))
        .isInstanceOfSatisfying(
            Answer.Failure.class,
            failure -> {
              assertThat(failure.id()).hasValue(3);
              assertThat(failure.why().errno()).isEqualTo(Errno.EOVERFLOW);
            });
  }

  @Test
  void readsAnErrorWithItsHint() throws BlkSnapException {
    var why = new BlkSnapException(Errno.EBUSY, "vm1 is in use").withHint("use --force");
    byte[] line = CtrlCodec.error(new JsonPrimitive(3), why);
    assertThat(CtrlCodec.answer(withoutEnd(line)))
        .isInstanceOfSatisfying(
            Answer.Failure.class,
            failure -> {
              assertThat(failure.id()).hasValue(3);
              assertThat(failure.why().errno()).isEqualTo(Errno.EBUSY);
              assertThat(failure.why()).hasMessage("vm1 is in use");
              assertThat(failure.why().hint()).isEqualTo("use --force");
            });
  }

  @Test
  void takesAnErrnoThatIsNotKnownForEio() throws BlkSnapException {
    var answer =
        CtrlCodec.answer(
            bytes(
                "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":"
                    + "{\"code\":84,\"message\":\"m\",\"data\":{\"errno\":\"EILSEQ\"}}}"));
    assertThat(answer)
        .isInstanceOfSatisfying(
            Answer.Failure.class,
            failure -> {
              assertThat(failure.id()).isEmpty();
              assertThat(failure.why().errno()).isEqualTo(Errno.EIO);
            });
  }

  @Test
  void readsProgressAsItWasWritten() throws BlkSnapException {
    for (var total : List.of(OptionalLong.empty(), OptionalLong.of(10))) {
      var progress = new CtrlProgress("merge", 3, total);
      byte[] line = CtrlCodec.progress(new JsonPrimitive(4), progress);
      assertThat(CtrlCodec.answer(withoutEnd(line))).isEqualTo(new Answer.Progress(4, progress));
    }
  }

  @Test
  void leavesFieldsOfANewerReplyAlone() throws BlkSnapException {
    byte[] line =
        bytes(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"version\":\"2\",\"new\":[1]},\"x\":1}\n");
    assertThat(read(new CtrlRequest.Version(), line)).isEqualTo(new CtrlReply.VersionInfo("2"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          []                                                         | the engine's line is not an object
          {"jsonrpc":"2.0","id":1}                                   | the field 'result' is missing
          {"jsonrpc":"2.0","id":"a","result":{}}                     | the field 'id' is "a", not a whole number
          {"jsonrpc":"2.0","id":1,"error":{"message":"m"}}           | the field 'error.data' is missing
          {"jsonrpc":"2.0","method":"other","params":{}}             | the field 'method' is "other", not "progress"
          {"jsonrpc":"2.0","method":"progress","params":{"id":1,"done":2,"total":1}} | the field 'params.total' is 1, not a whole number from 2
          """)
  void refusesAnAnswerThatIsWrong(String line, String sentence) {
    assertThatThrownBy(() -> CtrlCodec.answer(bytes(line)))
        .isInstanceOf(BlkSnapException.class)
        .hasMessageStartingWith(sentence)
        .extracting(e -> ((BlkSnapException) e).errno())
        .isEqualTo(Errno.EBADMSG);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"id":"1-1-1-1-1","name":"n"}   | the field 'result.id' is "1-1-1-1-1", not a UUID
          {"id":"nonsense","name":"n"}    | the field 'result.id' is "nonsense", not a UUID
          {"name":"n"}                    | the field 'result.id' is missing
          """)
  void refusesAResultThatIsWrong(String result, String sentence) {
    var request =
        new CtrlRequest.SnapshotCreate(
            List.of(),
            "/s",
            Optional.empty(),
            Optional.empty(),
            CtrlRequest.Durability.NONE,
            CtrlRequest.OnFull.BREAK,
            false);
    byte[] line = bytes("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" + result + "}\n");
    assertThatThrownBy(() -> read(request, line))
        .isInstanceOf(BlkSnapException.class)
        .hasMessage(sentence);
  }

  @Test
  void writesATreeAsOneNestedObject() {
    var tree =
        new StatusNode.Directory(
            "",
            List.of(
                new StatusNode.Directory(
                    "sys", List.of(new StatusNode.Attribute("version", "1.0", false))),
                new StatusNode.Directory("empty", List.of())));
    assertThat(CtrlCodec.json(tree)).isEqualTo("{\"sys\":{\"version\":\"1.0\"},\"empty\":{}}");
  }

  @Test
  void writesALoneValueAsAnObjectOfOneMember() {
    assertThat(CtrlCodec.json(new StatusNode.Attribute("size", "42", false)))
        .isEqualTo("{\"size\":\"42\"}");
  }

  @Test
  void writesAReplyAsTheTextOfItsResult() {
    assertThat(CtrlCodec.json(new CtrlReply.Value("42"))).isEqualTo("{\"value\":\"42\"}");
  }

  private static CtrlReply read(CtrlRequest request, byte[] line) throws BlkSnapException {
    if (CtrlCodec.answer(withoutEnd(line)) instanceof Answer.Reply(long _, JsonFields result)) {
      return ReplyJson.read(request, result);
    }
    throw new AssertionError(new String(line, StandardCharsets.UTF_8));
  }

  private static Incoming incoming(String line) {
    return CtrlCodec.incoming(bytes(line));
  }

  private static Incoming.Refused refused(String line) {
    return (Incoming.Refused) incoming(line);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] withoutEnd(byte[] line) {
    assertThat(line[line.length - 1]).isEqualTo((byte) '\n');
    return Arrays.copyOf(line, line.length - 1);
  }

  /** The records that implement a sealed interface. */
  private static Set<Class<?>> permitted(Class<?> sealed) {
    Set<Class<?>> found = new HashSet<>(List.of(sealed.getPermittedSubclasses()));
    assertThat(found).isNotEmpty().allMatch(Class::isRecord);
    return found;
  }
}
