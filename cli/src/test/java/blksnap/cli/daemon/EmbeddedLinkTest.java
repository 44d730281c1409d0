package blksnap.cli.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.cli.command.Directories;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlWatcher;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An engine inside the process that asks it. */
@Timeout(50)
final class EmbeddedLinkTest {
  @TempDir private Path directory;
  private Path disk = Path.of("");
  private EmbeddedLink link = new EmbeddedLink(new Directories(Path.of("/r"), Path.of("/s")));

  @BeforeEach
  void makeADisk() throws IOException {
    disk = Files.write(directory.resolve("vm1.img"), new byte[1 << 20]);
    link = new EmbeddedLink(new Directories(directory.resolve("run"), directory.resolve("state")));
  }

  @AfterEach
  void close() throws IOException {
    link.close();
  }

  @Test
  void doesToItsEndWhatAnInterruptedThreadAskedFor() throws Exception {
    CtrlHandler engine = link.engine();
    Thread.currentThread().interrupt();
    assertThatThrownBy(() -> engine.handle(attach())).isInstanceOf(InterruptedException.class);
    List<CtrlReply.DeviceEntry> devices = List.of();
    while (devices.isEmpty()) {
      devices = ((CtrlReply.DeviceList) engine.handle(new CtrlRequest.Devices())).devices();
    }
    assertThat(devices).extracting(CtrlReply.DeviceEntry::name).containsExactly("vm1");
    assertThat(engine.handle(new CtrlRequest.Detach("vm1"))).isEqualTo(new CtrlReply.Done());
  }

  @Test
  void endsAWaitWhoseThreadIsInterrupted() throws Exception {
    CtrlHandler engine = link.engine();
    engine.handle(attach());
    engine.handle(creation());
    Thread.currentThread().interrupt();
    var wait = new CtrlRequest.SnapshotWait("night", 3_600_000);
    assertThatThrownBy(() -> engine.handle(wait)).isInstanceOf(InterruptedException.class);
    link.close(); // would take longer than the test may
  }

  @Test
  void showsTheLinesThatASocketWouldCarry() throws Exception {
    var lines = new ArrayList<String>();
    link.trace(Optional.of(lines::add));
    link.engine().handle(attach());
    link.engine().handle(creation());
    link.engine().handle(new CtrlRequest.SnapshotTake("night"), CtrlWatcher.PATIENT);
    link.trace(Optional.empty());
    link.engine().handle(new CtrlRequest.Version());
    assertThat(lines).hasSizeGreaterThanOrEqualTo(6);
    assertThat(lines.getFirst())
        .startsWith("--> {\"jsonrpc\":\"2.0\",\"blksnap\":1,\"id\":1,\"method\":\"attach\",");
    assertThat(lines.get(4))
        .startsWith("--> {\"jsonrpc\":\"2.0\",\"blksnap\":1,\"id\":3,\"method\":\"snapshot.take\",")
        .endsWith(",\"progress\":true,\"cancel\":true}");
    assertThat(lines.getLast()).startsWith("<-- {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{");
    assertThat(lines.subList(5, lines.size() - 1))
        .allMatch(line -> line.startsWith("<-- {\"jsonrpc\":\"2.0\",\"method\":\"progress\","));
  }

  private CtrlRequest attach() {
    return new CtrlRequest.Attach(
        disk.toString(), Optional.empty(), false, CtrlRequest.Cache.WRITEBACK);
  }

  private CtrlRequest creation() {
    return new CtrlRequest.SnapshotCreate(
        List.of("vm1"),
        directory.resolve("storage").toString(),
        Optional.empty(),
        Optional.of("night"),
        CtrlRequest.Durability.NONE,
        CtrlRequest.OnFull.BREAK,
        false);
  }
}
