package blksnap.cli.it;

import blksnap.testing.Commands;
import blksnap.testing.RealClients;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Debian's kernel for virtual machines, QEMU, and what a guest needs, from packages that are
 * fetched once and unpacked below {@code target}. Nothing is installed; what is installed already
 * is used as it is.
 */
final class KernelPackages {
  private static final String KERNEL = "linux-image-cloud-amd64";
  private static final List<String> PROGRAMS =
      List.of("qemu-system-x86", "busybox-static", "nbd-client", "e2fsprogs");
  private static final String LIBRARIES = "x86_64-linux-gnu";

  private final Path root;

  private KernelPackages(Path root) {
    this.root = root;
  }

  /** Fetches them unless they are there; skips the test, or fails it, where they cannot be had. */
  static KernelPackages require() {
    String machine = System.getProperty("os.arch");
    RealClients.require(machine.equals("amd64"), "the kernel is one for amd64, not " + machine);
    Lab.need("apt-get", "apt-cache", "dpkg-deb", "ldd");
    Path directory = Path.of(System.getProperty("basedir", ""), "target/kernel").toAbsolutePath();
    try {
      Path complete = directory.resolve("complete");
      if (!Files.exists(complete)) {
        Commands.run("rm", "-rf", directory.toString()); // of a try that was cut off
        fetch(Files.createDirectories(directory.resolve("packages")));
        unpack(directory.resolve("packages"), directory.resolve("root"));
        Files.createFile(complete);
      }
    } catch (IOException e) {
      RealClients.require(false, "no kernel for a guest can be had: " + e.getMessage());
    }
    return new KernelPackages(directory.resolve("root"));
  }

  private static void fetch(Path packages) throws IOException {
    Files.createDirectories(packages.resolve("partial"));
    String kernel =
        Commands.run("apt-cache", "depends", KERNEL)
            .lines()
            .map(String::strip)
            .filter(line -> line.startsWith("Depends: linux-image-"))
            .findFirst()
            .orElseThrow(() -> new IOException("apt knows of no " + KERNEL))
            .substring("Depends: ".length());
    Commands.run(
        "sh", "-c", "cd \"$0\" && exec \"$@\"", packages.toString(), "apt-get", "download", kernel);
    // Everything that they depend on and that is not installed; nothing is written but here.
    var command =
        new ArrayList<>(
            List.of(
                "apt-get",
                "install",
                "--download-only",
                "--no-install-recommends",
                "--assume-yes",
                "--option=Debug::NoLocking=1",
                "--option=Dir::Cache::archives=" + packages));
    command.addAll(PROGRAMS);
    Commands.run(command.toArray(String[]::new));
  }

  private static void unpack(Path packages, Path root) throws IOException {
    try (Stream<Path> files = Files.list(packages)) {
      for (Path file : files.filter(KernelPackages::isPackage).sorted().toList()) {
        Commands.run("dpkg-deb", "-x", file.toString(), root.toString());
      }
    }
    // Newer kernels come with their modules compressed.
    Commands.run(
        "find", root.toString(), "-name", "*.ko.xz", "-exec", "xz", "--decompress", "{}", "+");
  }

  private static boolean isPackage(Path file) {
    return file.toString().endsWith(".deb");
  }

  /** The image that QEMU boots. */
  Path kernel() throws IOException {
    try (Stream<Path> files = Files.list(root.resolve("boot"))) {
      return files
          .filter(file -> file.getFileName().toString().startsWith("vmlinuz-"))
          .findFirst()
          .orElseThrow(() -> new IOException("no kernel below " + root));
    }
  }

  /** With these, an unpacked program finds what it was not built to look for here. */
  Map<String, String> variables() throws IOException {
    // A QEMU that was not installed looks for its modules beside itself, though some may be.
    Path modules = find(Files::isDirectory, "usr/lib/" + LIBRARIES + "/qemu");
    return Map.of("LD_LIBRARY_PATH", libraryPath(), "QEMU_MODULE_DIR", modules.toString());
  }

  private String libraryPath() {
    return root.resolve("usr/lib/" + LIBRARIES) + ":" + root.resolve("lib/" + LIBRARIES);
  }

  /** Where the firmware of QEMU's machines is. */
  List<Path> firmware() throws IOException {
    return List.of(
        find(Files::isDirectory, "usr/share/qemu"), find(Files::isDirectory, "usr/share/seabios"));
  }

  /** An unpacked program, or the installed one. */
  Path program(String name) throws IOException {
    return find(
        Files::isExecutable, "usr/bin/" + name, "usr/sbin/" + name, "bin/" + name, "sbin/" + name);
  }

  private Path find(Predicate<Path> wanted, String... paths) throws IOException {
    return Stream.of(root, Path.of("/"))
        .flatMap(top -> Stream.of(paths).map(top::resolve))
        .filter(wanted)
        .findFirst()
        .orElseThrow(() -> new IOException("neither installed nor unpacked: " + List.of(paths)));
  }

  /** The libraries that a program is loaded with, by the paths at which a guest finds them. */
  Map<String, Path> libraries(Path program) throws IOException {
    String variable = "LD_LIBRARY_PATH=" + libraryPath();
    var libraries = new TreeMap<String, Path>();
    for (String line : Commands.run("env", variable, "ldd", program.toString()).lines().toList()) {
      // "name => path (address)", "path (address)" of the loader, "name (address)" of the kernel's
      Optional<String> path =
          Arrays.stream(line.strip().split(" ", -1))
              .filter(word -> word.startsWith("/"))
              .findFirst();
      if (path.isPresent()) {
        String name = Path.of(path.get()).getFileName().toString();
        boolean loader = !line.contains("=>");
        libraries.put(loader ? path.get() : "/lib/" + LIBRARIES + "/" + name, Path.of(path.get()));
      }
    }
    return libraries;
  }

  /** The files of these modules and of all that they need, in an order to load them in. */
  List<Path> modules(String... names) throws IOException {
    var files = new TreeMap<String, Path>();
    try (Stream<Path> all = Files.walk(root)) {
      all.filter(file -> file.toString().endsWith(".ko"))
          .forEach(file -> files.put(moduleName(file.getFileName().toString()), file));
    }
    var ordered = new ArrayList<Path>();
    for (String name : names) {
      addModule(name, files, ordered);
    }
    return ordered;
  }

  /** A module that has no file is a part of the kernel. */
  private static void addModule(String name, Map<String, Path> files, List<Path> ordered)
      throws IOException {
    Path file = files.get(moduleName(name));
    if (file == null || ordered.contains(file)) {
      return;
    }
    for (String needed : neededModules(file)) {
      addModule(needed, files, ordered);
    }
    ordered.add(file);
  }

  /** A module carries a list of what it needs, as text that ends with a zero byte. */
  private static List<String> neededModules(Path module) throws IOException {
    String key = "\0depends=";
    String content = Files.readString(module, StandardCharsets.ISO_8859_1);
    int start = content.indexOf(key);
    if (start < 0) {
      return List.of();
    }
    String names = content.substring(start + key.length(), content.indexOf('\0', start + 1));
    return Stream.of(names.split(",", -1)).filter(name -> !name.isEmpty()).toList();
  }

  private static String moduleName(String file) {
    return file.replaceFirst("\\.ko$", "").replace('-', '_');
  }
}
