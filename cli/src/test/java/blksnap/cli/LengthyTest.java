package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.EngineLink;
import blksnap.cli.testing.Environments;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.sector.ByteRange;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** That a command which lasts over a second says what it does meanwhile. */
@Timeout(120)
final class LengthyTest {
  @TempDir private Path directory;

  /** An engine that does not answer before somebody was told of the progress. */
  private static final class Patient implements CtrlHandler {
    private final FakeEngine engine = new FakeEngine();
    private final StringWriter told;

    Patient(StringWriter told) {
      this.told = told;
    }

    private boolean isTold() {
      LockSupport.parkNanos(5_000_000);
      return told.toString().contains("progress");
    }

    @Override
    public CtrlReply handle(CtrlRequest request) throws java.io.IOException, InterruptedException {
      switch (request) {
        case CtrlRequest.CbtMap map when !isTold() -> {
          long from = map.fromOffset();
          return new CtrlReply.CbtRanges(
              List.of(new ByteRange(from, 4096)), OptionalLong.of(from + 8192));
        }
        case CtrlRequest.Attach _, CtrlRequest.Detach _, CtrlRequest.SnapshotAppendStorage _ -> {
          while (!isTold()) {
            Thread.onSpinWait();
          }
        }
        default -> {}
      }
      return engine.handle(request);
    }
  }

  private static String told(String line) {
    var err = new StringWriter();
    var engine = new Patient(err);
    int code =
        Main.run(
            (line + " -o json").split(" "),
            Environments.user(),
            (_, _) -> link(engine),
            InputStream.nullInputStream(),
            new PrintWriter(new StringWriter()),
            new PrintWriter(err));
    assertThat(code).as("%s", err).isZero();
    return err.toString();
  }

  private static EngineLink link(CtrlHandler engine) {
    return new EngineLink() {
      @Override
      public CtrlHandler engine() {
        return engine;
      }

      @Override
      public void close() {}
    };
  }

  @Test
  void saysWhatItDoes() throws Exception {
    Path disk = Files.createFile(directory.resolve("vm3.img"));
    Map<String, String> stages = new LinkedHashMap<>();
    stages.put("attach /srv/vm2.img", "attaching /srv/vm2.img");
    stages.put("snapshot_create -d " + disk, "attaching " + disk);
    stages.put("snapshot_add -i monday -d " + disk, "attaching " + disk);
    stages.put("detach vm1", "detaching vm1");
    stages.put("tracker_remove -d vm1", "detaching vm1");
    stages.put("snapshot append-storage monday x", "appending x");
    stages.put("snapshot_appendstorage -i monday -d /dev/sdb -r 0:8", "appending /dev/sdb");
    stages.put("cbt map vm1", "reading the map, bytes");
    try (var threads = Executors.newCachedThreadPool()) {
      Map<String, Future<String>> lines = new LinkedHashMap<>();
      stages.keySet().forEach(line -> lines.put(line, threads.submit(() -> told(line))));
      for (Map.Entry<String, Future<String>> line : lines.entrySet()) {
        String stage = stages.get(line.getKey());
        assertThat(line.getValue().get())
            .as(line.getKey())
            .startsWith("{\"progress\":{\"stage\":\"" + stage + "\",\"done\":");
      }
    }
  }
}
