package blksnap.cli.it;

import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A virtual machine without a disk of its own, of which the processors are emulated: Debian's
 * kernel, and a shell that runs one line after the other, as they come from its second serial port.
 * Closing it ends it. One thread uses it.
 */
final class Guest implements Closeable {
  /** The host, as the guest's network shows it. */
  static final String HOST = "10.0.2.2";

  private static final long MOST_SECONDS = 240;
  private static final String READY = "@ready";
  private static final String CODE = "@code ";

  private static final String INIT =
      """
      #!/bin/busybox sh
      /bin/busybox --install -s /bin
      export PATH=/sbin:/bin
      mount -t devtmpfs dev /dev
      mount -t proc proc /proc
      mount -t sysfs sys /sys
      for module in /modules/*; do
        insmod "$module"
      done
      ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
      exec </dev/ttyS1 >/dev/ttyS1 2>&1
      stty raw -echo
      echo @ready
      while IFS= read -r line; do
        sh -c "$line" </dev/null
        echo "@code $?"
      done
      """;

  private final Process process;
  private final Path console;
  private final Path answers;
  private final Path errors;
  private int read;

  private Guest(Process process, Path console, Path answers, Path errors) {
    this.process = process;
    this.console = console;
    this.answers = answers;
    this.errors = errors;
  }

  /**
   * Returns when it takes commands.
   *
   * @param directory for its files
   * @param programs that its commands use, beside those of busybox
   */
  static Guest boot(KernelPackages packages, Path directory, String... programs)
      throws IOException {
    Files.createDirectory(directory);
    Path initramfs = directory.resolve("initramfs");
    pack(packages, initramfs, programs);
    Path console = directory.resolve("console");
    Path answers = directory.resolve("answers");
    Path errors = directory.resolve("errors");
    var command = new ArrayList<>(List.of(packages.program("qemu-system-x86_64").toString()));
    packages.firmware().forEach(place -> command.addAll(List.of("-L", place.toString())));
    command.addAll(List.of("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"));
    command.addAll(List.of("-accel", "tcg", "-machine", "pc", "-cpu", "max", "-m", "512"));
    command.addAll(List.of("-kernel", packages.kernel().toString()));
    command.addAll(List.of("-initrd", initramfs.toString()));
    command.addAll(List.of("-append", "console=ttyS0 panic=-1 mitigations=off"));
    command.addAll(List.of("-netdev", "user,id=net"));
    command.addAll(List.of("-device", "virtio-net-pci,netdev=net,romfile="));
    command.addAll(List.of("-serial", "file:" + console));
    command.addAll(List.of("-chardev", "stdio,id=shell,signal=off", "-serial", "chardev:shell"));
    var builder =
        new ProcessBuilder(command).redirectOutput(answers.toFile()).redirectError(errors.toFile());
    builder.environment().putAll(packages.variables());
    var guest = new Guest(builder.start(), console, answers, errors);
    boolean booted = false;
    try {
      guest.await(READY);
      booted = true;
      return guest;
    } finally {
      if (!booted) {
        guest.close();
      }
    }
  }

  private static void pack(KernelPackages packages, Path file, String... programs)
      throws IOException {
    var initramfs = new Initramfs();
    initramfs.add("/init", INIT);
    initramfs.add("/bin/busybox", packages.program("busybox"));
    for (String directory : List.of("/dev", "/proc", "/sys", "/tmp", "/etc")) {
      initramfs.addDirectory(directory);
    }
    for (String name : programs) {
      Path program = packages.program(name);
      initramfs.add("/sbin/" + name, program);
      for (var library : packages.libraries(program).entrySet()) {
        initramfs.add(library.getKey(), library.getValue());
      }
    }
    List<Path> modules = packages.modules("virtio_pci", "virtio_net", "nbd");
    for (int i = 0; i < modules.size(); i++) {
      initramfs.add(String.format("/modules/%02d", i), modules.get(i));
    }
    initramfs.writeTo(file);
  }

  /** What a line of shell printed, both streams, stripped; throws with that text when it failed. */
  String run(String line) throws IOException {
    send(line);
    String output = await(CODE);
    String code = await("\n").strip();
    if (!code.equals("0")) {
      throw new IOException(line + " ended with code " + code + " in the guest: " + output + log());
    }
    return output.strip();
  }

  private void send(String line) throws IOException {
    OutputStream input = process.getOutputStream();
    input.write((line + "\n").getBytes(StandardCharsets.UTF_8));
    input.flush();
  }

  /** What it answers up to this word, which it says in the end. */
  private String await(String word) throws IOException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(MOST_SECONDS);
    while (true) {
      boolean alive = process.isAlive();
      String fresh = Files.readString(answers, StandardCharsets.ISO_8859_1).substring(read);
      int end = fresh.indexOf(word);
      if (end >= 0) {
        read += end + word.length();
        return fresh.substring(0, end);
      }
      if (!alive) {
        throw new IOException("the guest has ended: " + fresh + log());
      }
      if (System.nanoTime() - deadline > 0) {
        throw new IOException("no answer of the guest in " + MOST_SECONDS + " s" + log());
      }
      Lab.pause(5);
    }
  }

  /** All that its kernel has said. */
  String console() throws IOException {
    return Files.readString(console, StandardCharsets.ISO_8859_1);
  }

  private String log() throws IOException {
    String said = Files.exists(console) ? console() : "";
    return "\nIts console:\n" + said + "\nQEMU said:\n" + Files.readString(errors);
  }

  /** Ends it as its user would. */
  void powerOff() throws IOException {
    send("poweroff -f");
    Lab.until("the guest is off", () -> !process.isAlive());
  }

  @Override
  public void close() {
    process.destroyForcibly();
    process.onExit().join();
  }
}
