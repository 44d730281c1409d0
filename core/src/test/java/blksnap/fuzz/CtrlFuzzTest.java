package blksnap.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.engine.EngineConfig;
import blksnap.log.LogRing;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Hostile lines on the control socket of an engine, beside an NBD client and its device. */
@Timeout(600)
class CtrlFuzzTest {
  private static final int CASES = 400;
  private static final int CASES_A_BATCH = 10;
  private static final int DEVICE_BYTES = 256 << 10;
  private static final int LONGEST_LINE = 1 << 20;

  @TempDir(factory = InMemory.class)
  Path directory;

  @Test
  void answersEveryLineOnceAndChangesNothingByARefusedOne() throws IOException {
    var run = FuzzRun.ofCases(CASES);
    List<LogRing.Line> log = new CopyOnWriteArrayList<>();
    long began = System.nanoTime();
    int lines = 0;
    try (var engine = new TestEngine(directory, config(log))) {
      engine.attach("calm", new byte[DEVICE_BYTES]);
      engine.attach("disk", Bytes.pattern(1, 0, DEVICE_BYTES));
      engine.take("snap", "disk");
      try (var bystander = new Bystander(directory.resolve("run/nbd.sock"), "calm")) {
        for (int number : run.cases().toArray()) {
          String story = run.repeat(number);
          tidy(engine);
          String before = state(engine);
          List<JsonObject> answers = talk(run.random(number), story);
          lines += answers.size();
          if (answers.stream().noneMatch(answer -> answer.has("result"))) {
            assertThat(state(engine)).as(story).isEqualTo(before);
          }
          if (number % CASES_A_BATCH == 0) {
            bystander.awaitProgress(story);
          }
        }
        bystander.awaitProgress(run.seeds().toString());
        System.out.println(run.rate("ctrl", System.nanoTime() - began) + ", " + lines + " lines");
        System.out.println(bystander.report());
      }
      assertThat(engine.read("disk", 0, DEVICE_BYTES)).isEqualTo(Bytes.pattern(1, 0, DEVICE_BYTES));
      assertThat(engine.read("disk@snap", 0, DEVICE_BYTES))
          .isEqualTo(Bytes.pattern(1, 0, DEVICE_BYTES));
    }
    assertThat(log)
        .as(run.seeds().toString())
        .noneMatch(line -> line.level() == LogRing.Level.ERROR || line.text().contains("internal"));
  }

  private EngineConfig config(List<LogRing.Line> log) {
    return new EngineConfig(
        directory.resolve("run"),
        directory.resolve("state"),
        TestEngine.SMALL,
        true,
        OptionalInt.empty(),
        log::add);
  }

  /** What earlier cases may validly have made goes again, and what they need is there. */
  private void tidy(TestEngine engine) throws IOException {
    for (String file : List.of("extra.img", "appended.img")) {
      if (!Files.exists(directory.resolve(file))) {
        Files.write(directory.resolve(file), new byte[1 << 20]);
      }
    }
    var snapshots = engine.ask(CtrlReply.Snapshots.class, new CtrlRequest.SnapshotList());
    for (CtrlReply.SnapshotEntry snapshot : snapshots.snapshots()) {
      if (!snapshot.name().equals("snap")) {
        engine.destroy(snapshot.id().toString());
      }
    }
    for (CtrlReply.DeviceEntry device :
        engine.ask(CtrlReply.DeviceList.class, new CtrlRequest.Devices()).devices()) {
      if (!device.name().equals("calm") && !device.name().equals("disk")) {
        engine.ask(new CtrlRequest.Detach(device.name()));
      }
    }
  }

  /** All that a request could change, but for what the bystander does. */
  private static String state(TestEngine engine) throws IOException {
    var state = new StringBuilder();
    engine
        .ask(CtrlReply.DeviceList.class, new CtrlRequest.Devices())
        .devices()
        .forEach(
            device -> state.append(device.name()).append(device.path()).append(device.snapshots()));
    engine
        .ask(CtrlReply.Snapshots.class, new CtrlRequest.SnapshotList())
        .snapshots()
        .forEach(s ->
            state
                .append(s.id())
                .append(s.name())
                .append(s.state())
                .append(s.devices())
                .append(s.storage().capacity()));
    state.append(engine.ask(CtrlReply.Params.class, new CtrlRequest.ParamList()));
    state.append(engine.cbt("disk"));
    state.append(engine.changes("disk", Optional.empty(), Optional.empty()).ranges());
    return state.toString();
  }

  private List<JsonObject> talk(Random random, String story) throws IOException {
    byte[] packet = new CtrlTalk(random, directory.toString()).bytes();
    var heard = new ByteArrayOutputStream();
    try (SocketChannel channel =
        SocketChannel.open(UnixDomainSocketAddress.of(directory.resolve("run/ctrl.sock")))) {
      var listener = new Thread(() -> listen(channel, heard), "fuzz-listener");
      listener.start();
      send(channel, packet, random);
      join(listener);
    }
    return judge(packet, heard.toString(StandardCharsets.UTF_8), story);
  }

  private static void send(SocketChannel channel, byte[] packet, Random random) {
    int at = 0;
    try {
      while (at < packet.length) {
        int end = Math.min(packet.length, at + 1 + random.nextInt(packet.length));
        ByteBuffer piece = ByteBuffer.wrap(packet, at, end - at);
        while (piece.hasRemaining()) {
          channel.write(piece);
        }
        at = end;
      }
      channel.shutdownOutput();
    } catch (IOException hungUp) {
      // After a line that is too long nobody reads on.
    }
  }

  private static void listen(SocketChannel channel, ByteArrayOutputStream heard) {
    ByteBuffer portion = ByteBuffer.allocate(64 << 10);
    try {
      while (channel.read(portion) >= 0) {
        heard.write(portion.array(), 0, portion.position());
        portion.clear();
      }
    } catch (IOException reset) {
      // Closed with something of ours unread: the same as an end.
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError("nobody interrupts a test", e);
    }
  }

  private static List<JsonObject> judge(byte[] packet, String heard, String story) {
    List<byte[]> sent = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < packet.length; i++) {
      if (packet[i] == '\n') {
        sent.add(Arrays.copyOfRange(packet, start, i));
        start = i + 1;
      }
    }
    boolean endless = packet.length - start > LONGEST_LINE;
    assertThat(heard.isEmpty() || heard.endsWith("\n")).as(story).isTrue();
    List<JsonObject> answers = new ArrayList<>();
    for (String line : heard.lines().toList()) {
      JsonObject answer = JsonParser.parseString(line).getAsJsonObject();
      if (!answer.has("method")) { // how far it is
        answers.add(answer);
      }
    }
    if (endless) { // the last answer may be lost with what was not read
      assertThat(answers.size()).as(story).isBetween(sent.size(), sent.size() + 1);
    } else {
      assertThat(answers).as(story).hasSameSizeAs(sent);
    }
    for (int i = 0; i < Math.min(sent.size(), answers.size()); i++) {
      String line = new String(sent.get(i), StandardCharsets.UTF_8);
      judge(line, answers.get(i), story + ": " + line.substring(0, Math.min(300, line.length())));
    }
    return answers;
  }

  private static void judge(String line, JsonObject answer, String story) {
    assertThat(answer.get("jsonrpc").getAsString()).as(story).isEqualTo("2.0");
    assertThat(answer.has("result") ^ answer.has("error")).as(story).isTrue();
    JsonElement id = answer.get("id");
    if (answer.has("result") || !id.isJsonNull()) {
      assertThat(id).as(story).isEqualTo(idOf(line).orElse(null));
    }
    if (answer.get("error") instanceof JsonObject error) {
      assertThat(error.get("code").getAsInt()).as(story).isNotZero();
      assertThat(error.get("message").getAsString())
          .as(story)
          .isNotEmpty()
          .doesNotContain("Exception", "internal error", "java.");
      assertThat(error.get("data").getAsJsonObject().get("errno").getAsString())
          .as(story)
          .matches("E[A-Z0-9]+");
    }
  }

  private static Optional<JsonElement> idOf(String line) {
    try {
      return Optional.ofNullable(JsonParser.parseString(line).getAsJsonObject().get("id"));
    } catch (JsonParseException | IllegalStateException e) {
      return Optional.empty();
    }
  }
}
