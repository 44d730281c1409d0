package blksnap.cli.testing;

import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.eventqueue.EventQueue;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.status.StatusNode;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * An engine with two devices and one snapshot that answers from memory and remembers what it was
 * asked. Answers can be queued before the built-in ones. Safe from many threads.
 */
public final class FakeEngine implements CtrlHandler {
  public static final UUID SNAPSHOT = UUID.fromString("11111111-2222-4333-8444-555555555555");
  public static final UUID GENERATION = UUID.fromString("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
  public static final long NO_PROCESS = 99_999_999; // more than Linux gives out

  /** An answer that a test queues. */
  @FunctionalInterface
  public interface Answer {
    CtrlReply get() throws IOException, InterruptedException;
  }

  private static final CtrlReply.Consistency CRASH =
      new CtrlReply.Consistency("crash-consistent", "no file system was frozen");

  private final List<CtrlRequest> requests = Collections.synchronizedList(new ArrayList<>());
  private final Deque<Answer> queued = new ArrayDeque<>();

  /** One whose snapshot has an event and is gone then. */
  public static CtrlHandler withOneEvent() {
    var engine = new FakeEngine();
    var waits = new AtomicInteger();
    return request -> {
      if (request instanceof CtrlRequest.SnapshotWait && waits.getAndIncrement() > 0) {
        throw new BlkSnapException(Errno.ESRCH, "the snapshot was destroyed");
      }
      return engine.handle(request);
    };
  }

  /** Every request so far. */
  public List<CtrlRequest> requests() {
    synchronized (requests) {
      return List.copyOf(requests);
    }
  }

  /** Answers the next request that nothing else is queued for. */
  public synchronized FakeEngine next(Answer answer) {
    queued.addLast(answer);
    return this;
  }

  public FakeEngine refuse(Errno errno, String sentence, String hint) {
    return next(() -> {
      throw new BlkSnapException(errno, sentence).withHint(hint);
    });
  }

  private synchronized Optional<Answer> poll() {
    return Optional.ofNullable(queued.pollFirst());
  }

  @Override
  public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
    requests.add(request);
    Optional<Answer> answer = poll();
    return answer.isPresent() ? answer.get().get() : builtIn(request);
  }

  private static CtrlReply builtIn(CtrlRequest request) throws BlkSnapException {
    return switch (request) {
      case CtrlRequest.Version _ -> new CtrlReply.VersionInfo("1.0.0.0");
      case CtrlRequest.ModInfo _ ->
          new CtrlReply.ModuleInfo(
              "blksnap",
              "1.0.0.0",
              "Apache-2.0",
              "Snapshots and changed block tracking",
              "live",
              NO_PROCESS,
              "/run/blksnap",
              "/var/lib/blksnap",
              parameters());
      case CtrlRequest.ParamList _ -> new CtrlReply.Params(parameters());
      case CtrlRequest.ParamGet _ -> new CtrlReply.Params(List.of(parameters().getFirst()));
      case CtrlRequest.Attach attach ->
          new CtrlReply.Attached(device("vm1", attach.path()), List.of());
      case CtrlRequest.Devices _ -> new CtrlReply.DeviceList(devices());
      case CtrlRequest.CbtInfo info ->
          new CtrlReply.CbtState(info.device(), 65_536, 16_384, 1L << 30, GENERATION, 7, 42);
      case CtrlRequest.CbtMap _ ->
          new CtrlReply.CbtRanges(
              List.of(new ByteRange(0, 65_536), new ByteRange(1L << 20, 3 << 16)),
              OptionalLong.empty());
      case CtrlRequest.CbtRaw _ -> new CtrlReply.CbtBytes(new byte[] {1, 0, 2}, 3);
      case CtrlRequest.Resize _ -> new CtrlReply.Resized("vm1", 10L << 30, 20L << 30);
      case CtrlRequest.SnapshotTake _ -> new CtrlReply.Taken(CRASH, List.of());
      case CtrlRequest.SnapshotCreate _ -> new CtrlReply.Created(SNAPSHOT, "monday");
      case CtrlRequest.SnapshotList _ -> new CtrlReply.Snapshots(List.of(taken(), created()));
      case CtrlRequest.SnapshotInfo _ -> taken();
      case CtrlRequest.SnapshotImages _ ->
          new CtrlReply.Images(
              List.of(
                  new CtrlReply.ImageEntry(
                      "vm1",
                      "vm1@monday",
                      10L << 30,
                      "nbd+unix:///vm1@monday?socket=/run/blksnap/nbd.sock")));
      case CtrlRequest.SnapshotWait _ ->
          new CtrlReply.SnapshotEvent(new EventQueue.Stamped(5, new Event.LowFreeSpace(2_097_152)));
      case CtrlRequest.Status status -> new CtrlReply.Tree(node(status.path()));
      case CtrlRequest.Cat _ -> new CtrlReply.Value("18");
      case CtrlRequest.Dmesg dmesg -> new CtrlReply.LogLines(lines(dmesg.fromSequence()));
      case CtrlRequest.Unload _,
          CtrlRequest.ParamSet _,
          CtrlRequest.Detach _,
          CtrlRequest.CbtMark _,
          CtrlRequest.SnapshotAdd _,
          CtrlRequest.SnapshotAppendStorage _,
          CtrlRequest.SnapshotDestroy _,
          CtrlRequest.Echo _ ->
          new CtrlReply.Done();
    };
  }

  private static List<CtrlReply.ParamEntry> parameters() {
    return List.of(
        new CtrlReply.ParamEntry(
            "chunk_minimum_shift",
            20,
            18,
            12,
            30,
            "log2 of the bytes in the smallest chunk",
            "the next snapshot take"),
        new CtrlReply.ParamEntry(
            "chunk_maximum_in_cache", 32, 32, 0, 65_536, "most chunks in memory", "at once"));
  }

  private static CtrlReply.DeviceEntry device(String name, String path) {
    return new CtrlReply.DeviceEntry(
        name,
        path,
        10L << 30,
        false,
        CtrlRequest.Cache.WRITEBACK,
        "nbd+unix:///" + name + "?socket=/run/blksnap/nbd.sock",
        List.of("qemu"),
        List.of("monday"));
  }

  private static List<CtrlReply.DeviceEntry> devices() {
    return List.of(
        device("vm1", "/srv/vm1.img"),
        new CtrlReply.DeviceEntry(
            "data",
            "/dev/vg0/tab\there",
            1536L << 20,
            true,
            CtrlRequest.Cache.DIRECT,
            "nbd+unix:///data?socket=/run/blksnap/nbd.sock",
            List.of(),
            List.of()));
  }

  private static CtrlReply.SnapshotEntry taken() {
    return new CtrlReply.SnapshotEntry(
        SNAPSHOT,
        "monday",
        "taken",
        List.of(
            new CtrlReply.SnapshotDevice("vm1", Optional.empty()),
            new CtrlReply.SnapshotDevice("data", Optional.of(Errno.ENOSPC))),
        Optional.of(Instant.parse("2026-03-02T04:05:06.789Z")),
        CtrlRequest.Durability.PROCESS,
        new CtrlRequest.OnFull(true, Optional.of(30)),
        OptionalLong.of(812),
        Optional.of(CRASH),
        new CtrlReply.Storage(1L << 30, 300L << 20, OptionalLong.of(20L << 30), 15L << 30));
  }

  private static CtrlReply.SnapshotEntry created() {
    UUID id = UUID.fromString("99999999-2222-4333-8444-555555555555");
    return new CtrlReply.SnapshotEntry(
        id,
        id.toString(),
        "created",
        List.of(new CtrlReply.SnapshotDevice("vm1", Optional.empty())),
        Optional.empty(),
        CtrlRequest.Durability.NONE,
        CtrlRequest.OnFull.BREAK,
        OptionalLong.empty(),
        Optional.empty(),
        new CtrlReply.Storage(0, 0, OptionalLong.empty(), 1L << 40));
  }

  private static StatusNode tree() {
    var parameters =
        new StatusNode.Directory(
            "parameters", List.of(new StatusNode.Attribute("chunk_minimum_shift", "18", true)));
    var module =
        new StatusNode.Directory(
            "module",
            List.of(
                new StatusNode.Directory(
                    "blksnap",
                    List.of(
                        new StatusNode.Attribute("version", "1.0.0.0", false),
                        new StatusNode.Attribute("initstate", "live", false),
                        parameters))));
    var block =
        new StatusNode.Directory(
            "block",
            List.of(
                new StatusNode.Directory(
                    "vm1", List.of(new StatusNode.Attribute("ro", "0", false)))));
    return new StatusNode.Directory(
        "", List.of(new StatusNode.Directory("sys", List.of(module, block))));
  }

  private static StatusNode node(String path) throws BlkSnapException {
    if (path.equals("/sys/fs/blksnap")) { // is there, and would only lengthen what tests compare
      return new StatusNode.Directory("blksnap", List.of());
    }
    StatusNode node = tree();
    for (String part : path.split("/", -1)) {
      if (!part.isEmpty()) {
        node =
            entries(node).stream()
                .filter(entry -> entry.name().equals(part))
                .findFirst()
                .orElseThrow(
                    () -> new BlkSnapException(Errno.ENOENT, "there is no " + path + " here"));
      }
    }
    return node;
  }

  private static List<StatusNode> entries(StatusNode node) {
    return node instanceof StatusNode.Directory(_, var entries) ? entries : List.of();
  }

  private static List<LogRing.Line> lines(long from) {
    return List.of(
            new LogRing.Line(0, 17, LogRing.Level.INFO, "Loading"),
            new LogRing.Line(1, 12_000_345, LogRing.Level.WARNING, "low\u001b[31m on space"))
        .stream()
        .filter(line -> line.sequence() >= from)
        .toList();
  }
}
