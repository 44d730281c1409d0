package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Commands;
import blksnap.testing.Seeds;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What scripts for the kernel module do, by the names of its tools: on ext4, over loop devices that
 * lead to the exports.
 */
@Timeout(300)
final class UpstreamIT {
  private static final int MIB = 1 << 20;
  private static final int FILES = 12;

  @TempDir private Path directory;

  private final Seeds seeds = Seeds.ofRun();
  private final Random random = seeds.random();

  @BeforeEach
  void needsLoopDevicesAndNbdfuse() {
    NbdMount.require();
    Lab.need("mkfs.ext4", "mount", "umount", "sha256sum");
  }

  @Test
  void twoFileSystemsStayAsTheyWereInTheirImages() throws Exception {
    try (var lab = new Lab(directory)) {
      lab.load();
      Path first = lab.sparse("vm1.img", 64L * MIB);
      Path second = lab.sparse("vm2.img", 96L * MIB);
      assertThat(lab.ok("attach", "-d", first.toString())).isEqualTo("Attached successfully");
      assertThat(lab.ok("attach", "--device=" + first)).isEqualTo("Already was attached");
      lab.ok("attach", "--device", second.toString());
      try (NbdMount one = formatted(lab, "vm1");
          NbdMount two = formatted(lab, "vm2")) {
        String id;
        try (Mounted here = Mounted.mount(one.device(), lab.path("vm1.files"));
            Mounted there = Mounted.mount(two.device(), lab.path("vm2.files"))) {
          fill(here.at(), "before");
          fill(there.at(), "before");
          id = lab.ok("snapshot_create", "--device=" + first, "-d", "vm2");
          assertThat(lab.ok("snapshot_waitevent", "-i", id, "-t", "0"))
              .contains("result=ok", "event=low_free_space", "requested_nr_sect=");
          Path storage = lab.sparse("storage", 64L * MIB);
          assertThat(lab.ok("snapshot_appendstorage", "--id=" + id, "--file=" + storage))
              .isEqualTo("allocate range: ofs=0 cnt=131072");
          lab.ok("snapshot_take", "--id=" + id);
          for (Path at : List.of(here.at(), there.at())) {
            fill(at, "after");
            Files.writeString(at.resolve("before/0"), "overwritten");
            verify(at, "after");
          }
          for (Map.Entry<String, String> image : images(lab, id).entrySet()) {
            imageIsAsBefore(lab, image.getKey(), image.getValue());
          }
          assertThat(lab.ok("snapshot_info", "--device=" + second, "--field", "error_code"))
              .isEqualTo("0");
        }
        lab.ok("snapshot_destroy", "--id", id);
        assertThat(lab.ok("snapshot_collect")).isEmpty();
        assertThat(lab.ok("snapshot_waitevent", "-i", id, "-t", "0")).isEqualTo("result=not found");
        for (NbdMount device : List.of(one, two)) {
          Path at = lab.path("again" + device.device().getFileName());
          try (Mounted again = Mounted.mount(device.device(), at)) {
            verify(again.at(), "after");
            assertThat(again.at().resolve("before/0")).hasContent("overwritten");
          }
        }
      }
      lab.detachWhenUnused("vm1");
      assertThat(lab.ok("tracker_collect")).startsWith("count=1\n,\ndevice=vm2\n").endsWith("\n.");
      lab.detachWhenUnused("vm2");
      assertThat(lab.refused("tracker_remove", "-d", second.toString())).contains("(ENODEV)");
      lab.unload();
    }
  }

  private void imageIsAsBefore(Lab lab, String device, String uri) throws IOException {
    try (NbdMount image = NbdMount.attachUri(lab, uri, lab.path("fuse-" + device), false)) {
      Path at = lab.path("image-" + device);
      try (Mounted mounted = Mounted.mount(image.device(), at)) {
        verify(mounted.at(), "before");
        assertThat(mounted.at().resolve("after")).doesNotExist();
        fill(mounted.at(), "written-to-the-image");
      }
      dropCaches();
      try (Mounted mounted = Mounted.mount(image.device(), at)) {
        verify(mounted.at(), "before");
        verify(mounted.at(), "written-to-the-image");
      }
    }
  }

  @Test
  void storageIsStretchedUpToItsLimitAndThenTheImageIsLostButNotTheDisk() throws Exception {
    try (var lab = new Lab(directory)) {
      lab.load("diff_storage_minimum=32768"); // 16 MiB
      Path disk = lab.sparse("vm1.img", 112L * MIB);
      lab.ok("attach", "-d", disk.toString());
      try (NbdMount original = formatted(lab, "vm1");
          Mounted files = Mounted.mount(original.device(), lab.path("files"))) {
        Path some = files.at().resolve("some");
        Path most = files.at().resolve("most");
        write(some, 13 * MIB);
        write(most, 60 * MIB);
        fill(files.at(), "before");
        String id = lab.ok("snapshot_create", "--device=vm1");
        String start = directory + "/stretch-";
        String[] command = {
          Lab.launcher(), "stretch_snapshot", "--id=" + id, "--path=" + start, "--limit=48"
        };
        byte[] now;
        try (Background stretch = lab.start(lab.variables(), command)) {
          Lab.until("storage was given", () -> capacity(lab, id) == 16L * MIB);
          lab.ok("snapshot_take", "-i", id);
          overwrite(some, 13 * MIB);
          Lab.until("storage was stretched", () -> capacity(lab, id) == 32L * MIB);
          String uri = lab.ok("snapshot_info", "-d", "vm1", "-f", "image");
          try (NbdMount image = NbdMount.attachUri(lab, uri, lab.path("fuse-image"), false);
              Mounted mounted = Mounted.mount(image.device(), lab.path("image"))) {
            verify(mounted.at(), "before");
          }
          now = overwrite(most, 60 * MIB);
          assertThat(stretch.await()).isZero();
          assertThat(stretch.output()).contains("are given", "corrupt: no space left");
        }
        assertThat(lab.ok("snapshot_info", "-d", "vm1", "-f", "error_code")).isEqualTo("28");
        assertThat(Files.exists(Path.of(start + "diff_storage#2"))).isTrue();
        assertThat(Files.exists(Path.of(start + "diff_storage#3"))).isFalse();
        dropCaches();
        verify(files.at(), "before");
        assertThat(Files.readAllBytes(most)).isEqualTo(now);
        lab.ok("snapshot_destroy", "-i", id);
      }
      lab.detachWhenUnused("vm1");
      lab.unload();
    }
  }

  private static long capacity(Lab lab, String id) throws IOException {
    return lab.number("/sys/fs/blksnap/" + id + "/storage/capacity");
  }

  /** Other bytes where a file has its own, down to the device. */
  private byte[] overwrite(Path file, int bytes) throws IOException {
    byte[] content = new byte[bytes];
    random.nextBytes(content);
    Files.write(file, content, StandardOpenOption.WRITE);
    Commands.run("sync", "--file-system", file.toString());
    return content;
  }

  @Test
  void everyNameThatPrintsSpeaksJson() throws Exception {
    try (var lab = new Lab(directory)) {
      lab.load();
      Path disk = lab.disk("vm1.img", MIB);
      Path other = lab.disk("data.img", MIB);
      for (String when : List.of("first", "already attached")) {
        assertThat(members(lab, "attach", "-d", disk.toString(), "-o", "json"))
            .as(when)
            .containsExactly("device", "warnings");
      }
      assertThat(members(lab, "version", "-j")).containsExactly("version");
      String id = lab.ok("snapshot_create", "-d", other.toString());
      assertThat(lab.ok("snapshot_add", "--device=vm", "--id", id)).isEmpty();
      String[] watcher = {Lab.launcher(), "snapshot_watcher", "--id=" + id};
      try (Background watching = lab.start(lab.variables(), watcher)) {
        Lab.until("it has seen the event", () -> watching.output().contains("requested_nr_sect"));
        assertThat(members(lab, "snapshot_waitevent", "-i", id, "-t", "0", "-j"))
            .containsExactly("result");
        Path storage = lab.sparse("storage", 16L * MIB);
        List<String> append =
            List.of("snapshot_appendstorage", "-i", id, "-d", storage.toString(), "-r");
        lab.ok(
            Stream.concat(append.stream(), Stream.of("0:8192", "16384:8192"))
                .toArray(String[]::new));
        assertThat(capacity(lab, id)).isEqualTo(8L * MIB);
        lab.ok("snapshot_take", "-i", id);
        assertThat(members(lab, "snapshot_collect", "-j")).containsExactly("snapshots");
        assertThat(images(lab, id)).containsOnlyKeys("vm1", "data");
        assertThat(members(lab, "snapshot_info", "-d", "vm", "-j"))
            .containsExactly("error_code", "image");
        assertThat(members(lab, "snapshot_info", "-d", "vm1", "-f", "image", "-j"))
            .containsExactly("image");
        assertThat(members(lab, "tracker_collect", "-j")).containsExactly("trackers");
        assertThat(members(lab, "cbtinfo", "-d", "vm1", "-j"))
            .contains("block_size", "generation_id");
        String map = lab.path("map").toString();
        assertThat(members(lab, "readcbtmap", "-d", "vm", "-f", map, "-j"))
            .containsExactly("blocks");
        assertThat(members(lab, "tracker_readcbtmap", "-d", "vm", "-f", map, "-j"))
            .containsExactly("blocks");
        for (String command : List.of("snapshot_info", "readcbtmap", "tracker_readcbtmap")) {
          assertThat(lab.command(command, "-d", "vm2", "-f", "image").err())
              .contains("there is no device 'vm2' (ENODEV)", "did you mean 'vm1'?");
        }
        lab.ok("snapshot_destroy", "-i", id);
        assertThat(watching.awaitSuccess())
            .startsWith("Start snapshot watcher.\nevent=low_free_space requested_nr_sect=")
            .endsWith("Snapshot watcher finished\n");
      }
      lab.ok("tracker_remove", "-d", "vm1");
      lab.ok("detach", "-d", other.toString());
      lab.unload();
    }
  }

  /** The names of what a command tells as JSON. */
  private static Set<String> members(Lab lab, String... words) {
    return JsonParser.parseString(lab.ok(words)).getAsJsonObject().keySet();
  }

  @Test
  void aChangeMapStaysFrozenUnderItsSnapshotUntilAFileIsMarked() throws Exception {
    try (var lab = new Lab(directory)) {
      lab.load();
      Path disk = lab.sparse("vm1.img", 64L * MIB);
      lab.ok("attach", "-d", disk.toString());
      try (NbdMount original = formatted(lab, "vm1");
          Mounted files = Mounted.mount(original.device(), lab.path("files"))) {
        Path marked = files.at().resolve("marked");
        write(marked, 2 * MIB);
        for (int round = 0; round < 4; round++) {
          String id =
              lab.ok("snapshot_create", "--device=" + disk, "--file=" + directory, "-l", "1G");
          assertThat(lab.refused("tracker_readcbtmap", "-d", "vm1", "-f", "map"))
              .contains("(EPERM)");
          lab.ok("snapshot_take", "-i", id);
          byte[] map = map(lab, "tracker_readcbtmap");
          write(files.at().resolve("more"), 10 * MIB);
          assertThat(map(lab, "tracker_readcbtmap")).as("%s", seeds).isEqualTo(map);
          assertThat(map(lab, "readcbtmap")).isEqualTo(map);
          assertThat(map).hasSize(1024);
          if (round == 3) {
            lab.ok("markdirtyblock", "--device=vm1", "--file=" + marked);
            byte[] after = map(lab, "tracker_readcbtmap");
            assertThat(changed(map, after)).isBetween(32, 2 * 32 + 64);
            byte[] before = map(lab, "tracker_readcbtmap");
            lab.ok("tracker_markdirtyblock", "-d", "vm1", "-r", "0:1", "131071:1");
            assertThat(changed(before, map(lab, "tracker_readcbtmap"))).isBetween(0, 2);
            assertThat(lab.refused("markdirtyblock", "-f", marked.toString()))
                .contains("is on no attached device (ENODEV)");
          }
          lab.ok("snapshot_destroy", "-i", id);
        }
        assertThat(lab.ok("cbtinfo", "-d", "vm1")).contains("block_count=1024", "changes_number=4");
      }
      lab.detachWhenUnused("vm1");
      lab.unload();
    }
  }

  private static byte[] map(Lab lab, String command) throws IOException {
    Path map = lab.path("map");
    lab.ok(command, "--device", "vm1", "--file", map.toString());
    return Files.readAllBytes(map);
  }

  private static int changed(byte[] before, byte[] after) {
    int changed = 0;
    for (int i = 0; i < before.length; i++) {
      changed += before[i] == after[i] ? 0 : 1;
    }
    return changed;
  }

  @Test
  void anImageIsWrittenToWhileItsOriginalIs() throws Exception {
    try (var lab = new Lab(directory)) {
      lab.load();
      Path disk = lab.sparse("vm1.img", 96L * MIB);
      lab.ok("attach", "-d", disk.toString());
      try (NbdMount original = formatted(lab, "vm1");
          Mounted files = Mounted.mount(original.device(), lab.path("files"))) {
        fill(files.at(), "before");
        String id = lab.ok("snapshot_create", "-d", "vm1", "-f", directory.toString());
        lab.ok("snapshot_take", "-i", id);
        String uri = lab.ok("snapshot_info", "-d", "vm1", "-f", "image");
        try (NbdMount image = NbdMount.attachUri(lab, uri, lab.path("fuse-image"), false)) {
          Path at = lab.path("image");
          for (int round = 0; round < 2; round++) {
            String name = "round-" + round;
            try (Mounted mounted = Mounted.mount(image.device(), at);
                ExecutorService threads = Executors.newSingleThreadExecutor()) {
              Future<?> beside =
                  threads.submit(() -> {
                    fill(files.at(), name);
                    return 0;
                  });
              fill(mounted.at(), name);
              beside.get();
              verify(mounted.at(), name);
              verify(files.at(), name);
            }
            dropCaches();
            try (Mounted mounted = Mounted.mount(image.device(), at)) {
              verify(mounted.at(), "before");
              verify(mounted.at(), name);
            }
            verify(files.at(), "before");
          }
          crossesChunks(image.device());
        }
        lab.ok("snapshot_destroy", "-i", id);
      }
      lab.detachWhenUnused("vm1");
      lab.unload();
    }
  }

  /** Raw writes over the edges of 128 KiB, which those of larger chunks are among. */
  private void crossesChunks(Path image) throws IOException {
    for (int kib : new int[] {126, 2048 + 126, 4096 + 126}) {
      byte[] data = new byte[4096];
      random.nextBytes(data);
      try (FileChannel channel =
          FileChannel.open(image, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.wrap(data), kib * 1024L);
        channel.force(false);
        dropCaches();
        var found = ByteBuffer.allocate(data.length);
        while (found.hasRemaining() && channel.read(found, kib * 1024L + found.position()) > 0) {
          assertThat(found.position()).isPositive();
        }
        assertThat(found.array()).as("at %d KiB, %s", kib, seeds).isEqualTo(data);
      }
    }
  }

  @Test
  void aSnapshotIsDestroyedUnderReadersAndWriters() throws Exception {
    try (var lab = new Lab(directory)) {
      lab.load();
      Path disk = lab.disk("vm1.img", 16 * MIB);
      lab.ok("attach", "-d", disk.toString());
      String id = lab.ok("snapshot_create", "-d", "vm1", "-f", directory.toString());
      lab.ok("snapshot_take", "-i", id);
      var stop = new AtomicBoolean();
      var done = new AtomicInteger();
      try (ExecutorService threads = Executors.newCachedThreadPool()) {
        List<Future<Integer>> users = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
          users.add(threads.submit(() -> use(lab, "vm1", true, stop, done)));
          users.add(threads.submit(() -> use(lab, "vm1@" + id, true, stop, done)));
          users.add(threads.submit(() -> use(lab, "vm1@" + id, false, stop, done)));
        }
        try {
          Lab.until("all of them work", () -> done.get() > 60);
          lab.ok("snapshot_destroy", "-i", id);
          int before = done.get();
          Lab.until("the original is still written to", () -> done.get() > before + 20);
        } finally {
          stop.set(true);
        }
        int ended = 0;
        for (Future<Integer> user : users) {
          ended += user.get();
        }
        assertThat(ended).as("users of an image that ended, %s", seeds).isEqualTo(4);
      }
      lab.detachWhenUnused("vm1");
      lab.unload();
    }
  }

  /** Reads or writes until told to stop; an image until its export has ended, which is 1. */
  private int use(Lab lab, String export, boolean writes, AtomicBoolean stop, AtomicInteger done)
      throws IOException {
    byte[] data = new byte[64 << 10];
    Arrays.fill(data, (byte) 7);
    boolean image = export.contains("@");
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), export)) {
      for (int at = 0; image || !stop.get(); at = (at + data.length) % (16 * MIB)) {
        if (writes) {
          session.write(at, data);
        } else {
          assertThat(session.read(at, data.length)).hasSize(data.length);
        }
        done.incrementAndGet();
      }
      return 0;
    } catch (IOException e) {
      if (!image) {
        throw e;
      }
      return 1;
    }
  }

  private static NbdMount formatted(Lab lab, String device) throws IOException {
    NbdMount mount = NbdMount.attach(lab, device, lab.path("fuse-of-" + device), false);
    boolean formatted = false;
    try {
      Commands.run("mkfs.ext4", "-q", mount.device().toString());
      formatted = true;
      return mount;
    } finally {
      if (!formatted) {
        mount.close();
      }
    }
  }

  /** Random files of random sizes in a directory of this name, and the list of their hashes. */
  private void fill(Path at, String name) throws IOException {
    Random sizes = seeds.random(name.hashCode());
    Files.createDirectory(at.resolve(name));
    for (int i = 0; i < FILES; i++) {
      byte[] content = new byte[1 + sizes.nextInt(MIB / 2)];
      sizes.nextBytes(content);
      Files.write(at.resolve(name + "/" + i), content);
    }
    Commands.run("sh", "-c", "cd '" + at + "' && sha256sum " + name + "/* >" + name + ".hashes");
    Commands.run("sync", "--file-system", at.toString());
  }

  private static void verify(Path at, String name) throws IOException {
    assertThat(Files.readAllLines(at.resolve(name + ".hashes"))).hasSize(FILES);
    Commands.run("sh", "-c", "cd '" + at + "' && sha256sum --check --quiet " + name + ".hashes");
  }

  private void write(Path file, int bytes) throws IOException {
    byte[] content = new byte[bytes];
    random.nextBytes(content);
    Files.write(file, content);
    Commands.run("sync", "--file-system", file.toString());
  }

  private static void dropCaches() throws IOException {
    Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "3");
  }

  /** The URIs of a snapshot's images, by device. */
  private static Map<String, String> images(Lab lab, String id) {
    Map<String, String> images = new TreeMap<>();
    List<String> lines = lab.ok("snapshot_collect", "--id=" + id).lines().toList();
    assertThat(lines).startsWith("snapshot=" + id, "count=2", ",").endsWith(".");
    for (int i = 0; i + 1 < lines.size(); i++) {
      if (lines.get(i).startsWith("orig_dev_id=")) {
        String uri = lines.get(i + 1).substring("image_dev_id=".length());
        images.put(lines.get(i).substring("orig_dev_id=".length()), uri);
      }
    }
    return images;
  }
}
