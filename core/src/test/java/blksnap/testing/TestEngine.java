package blksnap.testing;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.engine.Engine;
import blksnap.engine.EngineConfig;
import blksnap.nbd.NbdTestClient;
import blksnap.param.Parameter;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A whole engine in this process, in directories of a test: asked as a client asks it, its devices
 * and images read and written over NBD.
 */
public final class TestEngine implements Closeable {
  /** Small chunks, blocks and portions, so that small devices meet every edge. */
  public static final Map<Parameter, Long> SMALL =
      Map.of(
          Parameter.CHUNK_MINIMUM_SHIFT, 14L,
          Parameter.TRACKING_BLOCK_MINIMUM_SHIFT, 12L,
          Parameter.DIFF_STORAGE_MINIMUM, 2_048L);

  private final Path directory;
  private final Engine engine;
  private final Map<String, NbdTestClient> clients = new HashMap<>();

  /** With {@link #SMALL} parameters and without a control socket. */
  public TestEngine(Path directory) throws IOException {
    this(directory, config(directory, SMALL, false));
  }

  public TestEngine(Path directory, EngineConfig config) throws IOException {
    this(directory, Engine.load(config));
  }

  /** Of an engine that has {@code run} in the directory. */
  public TestEngine(Path directory, Engine engine) {
    this.directory = directory;
    this.engine = engine;
  }

  /** Of an engine that has {@code run} and {@code state} in the directory. */
  public static EngineConfig config(
      Path directory, Map<Parameter, Long> parameters, boolean serveControl) {
    return new EngineConfig(
        directory.resolve("run"),
        directory.resolve("state"),
        parameters,
        serveControl,
        OptionalInt.empty(),
        line -> {});
  }

  public Engine engine() {
    return engine;
  }

  public Path file(String name) {
    return directory.resolve(name);
  }

  /** Asks, and expects this kind of reply. */
  public <T extends CtrlReply> T ask(Class<T> reply, CtrlRequest request) throws IOException {
    return reply.cast(handle(request));
  }

  /** Asks for something that is merely done. */
  public void ask(CtrlRequest request) throws IOException {
    handle(request);
  }

  private CtrlReply handle(CtrlRequest request) throws IOException {
    try {
      return engine.handle(request);
    } catch (InterruptedException e) {
      throw new AssertionError("nobody interrupts a test", e);
    }
  }

  /** Makes the file {@code <name>.img} with this content and attaches it. */
  public void attach(String name, byte[] content) throws IOException {
    attach(name, Files.write(file(name + ".img"), content), false);
  }

  public void attach(String name, Path path, boolean readOnly) throws IOException {
    ask(
        new CtrlRequest.Attach(
            path.toString(), Optional.of(name), readOnly, CtrlRequest.Cache.WRITEBACK));
  }

  /** What asks for a snapshot with the storage file {@code <name>.diff}, not taken yet. */
  public CtrlRequest.SnapshotCreate creation(String name, String... devices) {
    return new CtrlRequest.SnapshotCreate(
        List.of(devices),
        file(name + ".diff").toString(),
        Optional.empty(),
        Optional.of(name),
        CtrlRequest.Durability.PROCESS,
        CtrlRequest.OnFull.BREAK,
        false);
  }

  public void create(String name, String... devices) throws IOException {
    ask(creation(name, devices));
  }

  public void take(String name, String... devices) throws IOException {
    create(name, devices);
    ask(new CtrlRequest.SnapshotTake(name));
  }

  /** Creates and takes a snapshot that has at most so many bytes of storage. */
  public void takeWithin(long limitBytes, String name, String... devices) throws IOException {
    var full = creation(name, devices);
    ask(
        new CtrlRequest.SnapshotCreate(
            full.devices(),
            full.storage(),
            Optional.of(limitBytes),
            full.name(),
            full.durability(),
            full.onFull(),
            true));
  }

  public void destroy(String snapshot) throws IOException {
    ask(new CtrlRequest.SnapshotDestroy(snapshot));
  }

  public CtrlReply.SnapshotEntry info(String snapshot) throws IOException {
    return ask(CtrlReply.SnapshotEntry.class, new CtrlRequest.SnapshotInfo(snapshot));
  }

  public CtrlReply.CbtState cbt(String device) throws IOException {
    return ask(CtrlReply.CbtState.class, new CtrlRequest.CbtInfo(device));
  }

  public CtrlReply.CbtRanges changes(String device, Optional<String> since, Optional<String> until)
      throws IOException {
    return ask(CtrlReply.CbtRanges.class, new CtrlRequest.CbtMap(device, since, until, 0));
  }

  public String cat(String path) throws IOException {
    return ask(CtrlReply.Value.class, new CtrlRequest.Cat(path)).value();
  }

  /** Connects to a device or image, and stays connected until {@link #close}. */
  public NbdTestClient client(String export) throws IOException {
    NbdTestClient client = clients.get(export);
    if (client == null) {
      client = NbdTestClient.connect(directory.resolve("run/nbd.sock")).simple(export);
      clients.put(export, client);
    }
    return client;
  }

  public byte[] read(String export, long offset, int length) throws IOException {
    return client(export).read(offset, length);
  }

  /** The number of the error that a read is answered with; 0 for none. */
  public int errorOfRead(String export, long offset, int length) throws IOException {
    NbdTestClient client = client(export);
    client.request(0, 0, 9, offset, length);
    return client.reply(length).error();
  }

  /** The number of the error that a write is answered with; 0 for none. */
  public int write(String export, long offset, byte[] data) throws IOException {
    return client(export).write(offset, data);
  }

  /** Hangs up, and waits until the engine has seen it. */
  public void hangUp(String device) throws IOException {
    NbdTestClient client = clients.remove(device);
    if (client != null) {
      client.close();
    }
    while (!clientsOf(device).isEmpty()) {
      Thread.onSpinWait();
    }
  }

  private List<String> clientsOf(String device) throws IOException {
    return ask(CtrlReply.DeviceList.class, new CtrlRequest.Devices()).devices().stream()
        .filter(entry -> entry.name().equals(device))
        .flatMap(entry -> entry.clients().stream())
        .toList();
  }

  @Override
  public void close() throws IOException {
    for (NbdTestClient client : clients.values()) {
      client.close();
    }
    engine.close();
  }
}
