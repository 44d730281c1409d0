package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlRequest;
import blksnap.log.LogRing;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Others change a file or disk while no engine has it: the next attach begins a new generation. */
final class ChangedMeanwhileTest {
  private static final int SIZE = 4 << 20;
  private static final int BLOCK = 4096;

  @TempDir private Path directory;

  private Path file = Path.of("");

  @SuppressWarnings("NullAway.Init") // before each test
  private TestEngine engine;

  @BeforeEach
  void loads() throws IOException {
    file = Files.write(directory.resolve("vm1.img"), Bytes.pattern(1, 0, SIZE));
    engine = new TestEngine(directory);
  }

  @AfterEach
  void ends() throws IOException {
    engine.close();
  }

  /** What others do to the file; a copy of it from before the last write is there. */
  enum Change {
    REPLACED("it is another file or device") {
      @Override
      void of(Path file, Path copy) throws IOException {
        Path other = file.resolveSibling("other.img");
        Commands.run("cp", "-p", file.toString(), other.toString());
        Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
      }
    },
    GROWN("its size was 4194304 bytes and is 5242880") {
      @Override
      void of(Path file, Path copy) throws IOException {
        setLength(file, SIZE + (1 << 20));
      }
    },
    SHRUNK("its size was 4194304 bytes and is 1048576") {
      @Override
      void of(Path file, Path copy) throws IOException {
        setLength(file, 1 << 20);
      }
    },
    REWRITTEN_AND_ITS_TIME_SET_BACK("it was written while it was not attached") {
      @Override
      void of(Path file, Path copy) throws IOException {
        FileTime time = Files.getLastModifiedTime(file);
        setByte(file, SIZE - 1);
        Files.setLastModifiedTime(file, time);
        assertThat(Files.getLastModifiedTime(file)).isEqualTo(time);
      }
    },
    RESTORED_FROM_A_COPY("it was written while it was not attached") {
      @Override
      void of(Path file, Path copy) throws IOException {
        Commands.run("cp", "-p", copy.toString(), file.toString());
      }
    };

    private final String reason;

    Change(String reason) {
      this.reason = reason;
    }

    abstract void of(Path file, Path copy) throws IOException;
  }

  private static void setLength(Path file, long bytes) throws IOException {
    try (var open = new RandomAccessFile(file.toFile(), "rw")) {
      open.setLength(bytes);
    }
  }

  private static void setByte(Path file, long at) throws IOException {
    try (var open = new RandomAccessFile(file.toFile(), "rw")) {
      open.seek(at);
      int old = open.read();
      open.seek(at);
      open.write(old ^ 1);
    }
  }

  /** Attaches it, writes, and lets it go. */
  private UUID used(Path path) throws IOException {
    engine.attach("vm1", path, false);
    assertThat(engine.write("vm1", 7 * BLOCK, Bytes.repeated('b', BLOCK))).isZero();
    engine.hangUp("vm1");
    return engine.cbt("vm1").generationId();
  }

  private void loadAgain() throws IOException {
    engine = new TestEngine(directory);
  }

  private List<String> warnings() {
    return engine.engine().log().since(0, LogRing.CAPACITY).stream()
        .filter(line -> line.level() == LogRing.Level.WARNING)
        .map(LogRing.Line::text)
        .toList();
  }

  private void expectNewGeneration(UUID before, String reason) throws IOException {
    assertThat(engine.cbt("vm1").generationId()).isNotEqualTo(before);
    assertThat(engine.cbt("vm1").dirtyBlocks()).isZero();
    assertThat(warnings()).containsExactly("device vm1: a new generation, since " + reason);
  }

  private void expectSameGeneration(UUID before) throws IOException {
    assertThat(engine.cbt("vm1").generationId()).isEqualTo(before);
    assertThat(engine.cbt("vm1").dirtyBlocks()).isOne();
    assertThat(warnings()).isEmpty();
  }

  private Path copy() throws IOException {
    Path copy = directory.resolve("copy.img");
    Commands.run("cp", "-p", file.toString(), copy.toString());
    return copy;
  }

  @ParameterizedTest
  @EnumSource
  void aFileIsNoticedThatWasChangedWhileDetached(Change change) throws IOException {
    Path copy = copy();
    UUID before = used(file);
    engine.ask(new CtrlRequest.Detach("vm1"));
    change.of(file, copy);
    engine.attach("vm1", file, false);
    expectNewGeneration(before, change.reason);
  }

  @ParameterizedTest
  @EnumSource
  void aFileIsNoticedThatWasChangedWhileUnloaded(Change change) throws IOException {
    Path copy = copy();
    UUID before = used(file);
    engine.close();
    change.of(file, copy);
    loadAgain();
    expectNewGeneration(before, change.reason);
  }

  @Test
  void aFileThatWasLeftAloneGoesOn() throws IOException {
    UUID before = used(file);
    engine.ask(new CtrlRequest.Detach("vm1"));
    engine.attach("vm1", file, false);
    expectSameGeneration(before);
    engine.close();
    loadAgain();
    expectSameGeneration(before);
  }

  @Test
  void contentIsNoticedThatChangedWithoutATraceInTimesAndCounters() throws IOException {
    LoopDevice.require();
    try (LoopDevice loop = LoopDevice.attach(file, 512)) {
      UUID before = used(loop.path());
      engine.close();
      loadAgain();
      expectSameGeneration(before);
      engine.close();
      setByte(file, SIZE - 1); // below the device, which counts what is written to it
      loadAgain();
      expectNewGeneration(before, "its content changed while it was not attached");
      engine.close();
    }
  }
}
