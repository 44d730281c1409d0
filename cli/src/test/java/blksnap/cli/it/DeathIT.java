package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Fatal;
import java.io.File;
import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * An engine that cannot go on ends at once, and the next load finds everything; one that can go on
 * does.
 */
@Timeout(300)
final class DeathIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 4 * MIB;
  private static final int HALTED = 3;

  @TempDir private Path directory;
  private Lab lab;
  private byte[] image = {};
  private byte[] live = {};

  @BeforeEach
  void make() {
    lab = new Lab(directory);
  }

  @AfterEach
  void end() {
    lab.close();
  }

  /** A device with a snapshot, written to after the take. */
  private void fill() throws Exception {
    Path disk = lab.disk("vm1.img", SIZE);
    image = Files.readAllBytes(disk);
    lab.ok("attach", disk.toString(), "--name", "vm1");
    Path storage = lab.path("storage");
    lab.ok("snapshot", "create", "vm1", "--storage", storage.toString(), "--name", "s", "--take");
    live = image.clone();
    byte[] fresh = new byte[MIB];
    new Random(1).nextBytes(fresh);
    System.arraycopy(fresh, 0, live, MIB, MIB);
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      session.write(MIB, fresh);
    }
  }

  private void assertAllIsBack(String log) throws Exception {
    lab.load();
    assertThat(lab.ok("dmesg")).contains(log);
    assertThat(lab.content("vm1")).isEqualTo(live);
    assertThat(lab.content("vm1@s")).isEqualTo(image);
    boolean[] changed = lab.changed("vm1", SIZE, "--since", "s");
    for (int block = MIB / Lab.BLOCK; block < 2 * MIB / Lab.BLOCK; block++) {
      assertThat(changed[block]).as("block %d", block).isTrue();
    }
    lab.ok("snapshot", "destroy", "s");
    lab.unload();
  }

  private static String classpath() {
    return System.getProperty("java.class.path");
  }

  @Test
  void endsAtOnceWhenItsMemoryIsUsedUpAndIsBackAfterALoad() throws Exception {
    try (Background engine =
        lab.foreground(classpath(), "-Xmx24m", "-XX:+ExitOnOutOfMemoryError", "-XX:+UseSerialGC")) {
      lab.awaitServing();
      fill();
      List<SocketChannel> hoarders = new ArrayList<>();
      try {
        for (int i = 0; i < 60 && engine.isAlive(); i++) {
          SocketChannel hoarder = SocketChannel.open(StandardProtocolFamily.UNIX);
          hoarders.add(hoarder);
          hoard(hoarder);
        }
        assertThat(engine.await()).as(engine.output()).isEqualTo(HALTED);
      } finally {
        for (SocketChannel hoarder : hoarders) {
          hoarder.close();
        }
      }
      assertThat(engine.output()).contains("java.lang.OutOfMemoryError: Java heap space");
    }
    assertAllIsBack("was killed or died");
  }

  /**
   * A control client whose request is as long as it may be and never ends. The engine may be gone
   * before the connection is made or while it is fed; whoever calls looks at how it ended.
   */
  private void hoard(SocketChannel channel) {
    ByteBuffer buffer = ByteBuffer.wrap("x".repeat(MIB - 1).getBytes(StandardCharsets.UTF_8));
    try {
      channel.connect(UnixDomainSocketAddress.of(lab.run().resolve("ctrl.sock")));
      channel.configureBlocking(false);
      for (int idle = 0; buffer.hasRemaining() && idle < 200; ) {
        if (channel.write(buffer) == 0) {
          idle++;
          Lab.pause(1);
        }
      }
    } catch (IOException e) {
      assertThat(e).hasMessageMatching("Connection refused|Connection reset.*|Broken pipe");
    }
  }

  /** The classes of core without one: as after files were exchanged below a running program. */
  private String classpathWithout(String name) throws Exception {
    return classpathWith(copy -> Files.delete(copy.resolve(name)));
  }

  /** The classes of core, of which one has a method that fails once there is such a file. */
  private String classpathFailing(String name, String method, Path trigger) throws Exception {
    return classpathWith(copy -> {
      Path file = copy.resolve(name);
      ClassFile format = ClassFile.of();
      Files.write(
          file,
          format.transformClass(
              format.parse(file),
              ClassTransform.transformingMethodBodies(
                  changed -> changed.methodName().equalsString(method), new FailingOnce(trigger))));
    });
  }

  /** Puts {@code if (new File(trigger).exists()) throw null} before the body of a method. */
  private record FailingOnce(Path trigger) implements CodeTransform {
    private static final ClassDesc FILE = ClassDesc.of("java.io.File");

    @Override
    public void atStart(CodeBuilder builder) {
      builder
          .new_(FILE)
          .dup()
          .ldc(trigger.toString())
          .invokespecial(
              FILE,
              ConstantDescs.INIT_NAME,
              MethodTypeDesc.of(ConstantDescs.CD_void, ConstantDescs.CD_String))
          .invokevirtual(FILE, "exists", MethodTypeDesc.of(ConstantDescs.CD_boolean))
          .ifThen(then -> then.aconst_null().athrow());
    }

    @Override
    public void accept(CodeBuilder builder, CodeElement element) {
      builder.with(element);
    }
  }

  /** Changes the classes of core in a directory. */
  private interface Change {
    void make(Path classes) throws IOException;
  }

  private String classpathWith(Change change) throws Exception {
    Path core = Path.of(Fatal.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    Path copy = Files.createDirectory(lab.path("classes"));
    if (Files.isDirectory(core)) {
      lab.program("cp", "-r", core + "/.", copy.toString());
    } else {
      Path jar = Path.of(System.getProperty("java.home"), "bin", "jar");
      lab.program(jar.toString(), "--extract", "--file=" + core, "--dir=" + copy);
    }
    change.make(copy);
    return copy + File.pathSeparator + classpath().replace(core.toString(), copy.toString());
  }

  @Test
  void haltsWithItsReasonAtAnErrorNobodyCanJudgeAndIsBackAfterALoad() throws Exception {
    lab.load();
    fill();
    lab.kill();
    try (Background engine =
        lab.foreground(classpathWithout("blksnap/snapshot/SnapshotTake.class"))) {
      lab.awaitServing();
      String pid = Long.toString(engine.pid());
      Path file = lab.run().resolve("pid");
      Lab.until("it is the new one", () -> Files.readString(file).strip().equals(pid));
      lab.ok("snapshot", "create", "vm1", "--storage", lab.path("t").toString(), "--name", "t");
      assertThat(lab.command("snapshot", "take", "t").code()).isEqualTo(1);
      assertThat(engine.await()).as(engine.output()).isEqualTo(HALTED);
      assertThat(engine.output()).contains("blksnap: halted at ", "NoClassDefFoundError");
    }
    assertThat(lab.state().resolve("halted")).content().contains("SnapshotTake", "  at blksnap.");
    lab.load();
    assertThat(lab.ok("snapshot", "list", "-o", "plain")).contains("t\t");
    lab.ok("snapshot", "destroy", "t");
    assertThat(lab.ok("dmesg")).contains("halted by itself", "halted.reported");
    lab.kill();
    assertAllIsBack("was killed or died");
  }

  /** Threads that work by themselves: no client would notice that one of them is gone. */
  @ParameterizedTest
  @CsvSource({
    "blksnap-checkpoint, blksnap/tracker/TrackerTable.class, lookAtSizes",
    "blksnap-storage, blksnap/snapshot/SnapshotTable.class, lookAtStorages"
  })
  void endsAtOnceWhenAThreadOfItsOwnDiesAndIsBackAfterALoad(
      String thread, String file, String method) throws Exception {
    Path trigger = lab.path("trigger");
    try (Background engine = lab.foreground(classpathFailing(file, method, trigger))) {
      lab.awaitServing();
      fill();
      Files.createFile(trigger);
      assertThat(engine.await()).as(engine.output()).isEqualTo(HALTED);
      assertThat(engine.output()).contains("thread " + thread + ": java.lang.NullPointerException");
    }
    assertThat(lab.state().resolve("halted")).content().contains("  at blksnap.", method);
    assertAllIsBack("halted by itself");
  }

  /** As a fault in native code would end it; nobody needs its memory on the disk. */
  private static final String WITHOUT_CORE = "ulimit -c 0 && exec \"$0\" \"$@\"";

  @Test
  void pointsToTheFileThatACrashOfTheVirtualMachineLeft() throws Exception {
    String[] load = {"sh", "-c", WITHOUT_CORE, Lab.launcher(), "load"};
    try (Background loading = lab.start(lab.variables(), load)) {
      loading.awaitSuccess();
    }
    fill();
    crash(lab.daemon());
    assertAllIsBack("the engine before this one crashed; " + report() + " says where");
    assertThat(report()).content().contains("SIGSEGV");
  }

  @Test
  void pointsToTheFileThatACrashInTheForegroundLeft() throws Exception {
    String[] load = {"sh", "-c", WITHOUT_CORE, Lab.launcher(), "load", "--foreground"};
    try (Background _ = lab.start(lab.variables(), load)) {
      lab.awaitServing();
      crash(lab.daemon());
    }
    try (Background loading = lab.launch()) {
      assertThat(loading.awaitSuccess())
          .isEqualTo(
              "blksnap: warning: the engine before this one crashed; "
                  + report()
                  + " says where\n");
    }
    lab.unload();
  }

  private Path report() {
    return lab.state().resolve("crashed.reported");
  }

  private void crash(ProcessHandle engine) throws Exception {
    lab.program("kill", "-SEGV", Long.toString(engine.pid()));
    Lab.until("it has crashed", () -> !engine.isAlive());
    assertThat(lab.state().resolve("crashed")).content().contains("SIGSEGV");
  }

  @Test
  void servesOnWhenItsLogHasNoRoom() throws Exception {
    String shell = "exec \"$0\" load --foreground 2>/dev/full";
    try (Background engine = lab.start(lab.variables(), "sh", "-c", shell, Lab.launcher())) {
      lab.awaitServing();
      fill();
      assertThat(lab.ok("dmesg")).contains("attached");
      assertThat(lab.content("vm1@s")).isEqualTo(image);
      lab.ok("snapshot", "destroy", "s");
      lab.ok("unload");
      assertThat(engine.await()).isZero();
    }
  }

  @Test
  void neitherDiesNorLiesWhenTheChangeMapIsCutOffBelowIt() throws Exception {
    lab.load();
    fill();
    Path map = lab.state().resolve("devices/vm1/cbt");
    try (FileChannel file = FileChannel.open(map, StandardOpenOption.WRITE)) {
      file.truncate(0);
    }
    byte[] fresh = new byte[MIB];
    new Random(2).nextBytes(fresh);
    System.arraycopy(fresh, 0, live, 0, MIB);
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      session.write(0, fresh);
    }
    assertThat(lab.content("vm1")).isEqualTo(live);
    assertThat(lab.content("vm1@s")).isEqualTo(image);
    String map2 = lab.refused("cbt", "map", "vm1");
    assertThat(map2).contains("(EIO)");
    lab.kill();
    lab.load();
    assertThat(lab.content("vm1")).isEqualTo(live);
    assertThat(lab.ok("dmesg")).contains("device vm1: a new generation");
  }
}
