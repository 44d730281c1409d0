package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The NBD client of Linux itself, over TCP, under an ext4 file system: in a virtual machine that
 * runs Debian's kernel, so that nothing is asked of the kernel which the test runs on.
 */
@Tag("kernel")
@Timeout(900)
final class KernelClientIT {
  private static final long MIB = 1 << 20;
  private static final long SIZE = 128 * MIB;
  private static final int FILES = 40;

  @TempDir private Path directory;

  @SuppressWarnings("NullAway.Init") // before the test
  private Lab lab;

  @SuppressWarnings("NullAway.Init") // before the test
  private Guest guest;

  @SuppressWarnings("NullAway.Init") // before the test
  private String port;

  private void connect(String export, int disk) throws IOException {
    guest.run("nbd-client " + Guest.HOST + " " + port + " /dev/nbd" + disk + " -C 2 -N " + export);
  }

  private void disconnect(int disk) throws IOException {
    guest.run("nbd-client -d /dev/nbd" + disk);
  }

  private void mount(int disk, String at) throws IOException {
    guest.run("mkdir -p " + at + " && mount -t ext4 /dev/nbd" + disk + " " + at);
  }

  private String queue(int disk, String attribute) throws IOException {
    return guest.run("cat /sys/block/nbd" + disk + "/" + attribute);
  }

  private String hashes(String at) throws IOException {
    return guest.run(
        "echo 3 >/proc/sys/vm/drop_caches; cd "
            + at
            + " && sha256sum before/* && ls before | wc -l");
  }

  private void take(String name) {
    lab.ok(
        "snapshot", "create", "vm1", "--storage", directory.toString(), "--name", name, "--take");
  }

  @Test
  void ext4OfTheKernelsClientIsAsItWasInItsImages() throws Exception {
    KernelPackages packages = KernelPackages.require();
    try (var engine = new Lab(directory)) {
      lab = engine;
      lab.load("--listen", "tcp:127.0.0.1:0");
      port = lab.ok("cat", "/sys/class/blksnap/nbd_tcp").replaceFirst(".*:", "");
      Path at = lab.path("guest");
      try (Guest machine =
          Guest.boot(packages, at, "nbd-client", "mkfs.ext4", "e2fsck", "resize2fs")) {
        guest = machine;
        useFileSystem();
      }
    }
  }

  private void useFileSystem() throws Exception {
    Path disk = lab.sparse("vm1.img", SIZE);
    lab.ok("attach", disk.toString(), "--name", "vm1");
    connect("vm1", 0);
    assertThat(queue(0, "size")).isEqualTo(Long.toString(SIZE / 512));
    assertThat(queue(0, "ro")).isEqualTo("0");
    assertThat(queue(0, "queue/write_cache")).isEqualTo("write back");
    assertThat(queue(0, "queue/fua")).isEqualTo("1");
    assertThat(Long.parseLong(queue(0, "queue/discard_max_bytes"))).isPositive();
    guest.run("mkfs.ext4 -q /dev/nbd0");
    mount(0, "/files");
    guest.run("mkdir /files/before /files/beside");
    guest.run(
        "for i in $(seq "
            + FILES
            + "); do"
            + " head -c $((i * 25001)) /dev/urandom >/files/before/$i; done; sync");
    String before = hashes("/files");
    assertThat(before).endsWith("\n" + FILES);

    guest.run(
        "(i=0; while [ ! -e /tmp/stop ]; do i=$((i + 1));"
            + " head -c $((i * 997 % 30000)) /dev/urandom >/files/beside/$((i % 50));"
            + " [ $((i % 16)) != 0 ] || sync; done; echo $i >/tmp/written) >/dev/null 2>&1 &");
    take("running");
    guest.run("cd /files/before && for i in 1 7 20; do echo overwritten >$i; done; rm 30; sync");
    guest.run("dd if=/dev/urandom of=/files/before/40 bs=4096 count=100 conv=notrunc,fsync");
    String after = hashes("/files");
    assertThat(after).isNotEqualTo(before).endsWith("\n" + (FILES - 1));
    guest.run("fsfreeze --freeze /files");
    take("frozen");
    guest.run("fsfreeze --unfreeze /files");
    guest.run("rm /files/before/2 && sync");
    guest.run("touch /tmp/stop; while [ ! -e /tmp/written ]; do sleep 0.1; done");
    assertThat(Integer.parseInt(guest.run("cat /tmp/written"))).isPositive();

    imagesAreAsTheFilesWere(before, after);
    trims(disk);
    assertThat(hashes("/running")).isEqualTo(before);
    assertThat(hashes("/frozen")).isEqualTo(after);
    for (String at : new String[] {"/running", "/frozen", "/files"}) {
      guest.run("umount " + at);
    }
    for (int i = 0; i < 3; i++) {
      guest.run("e2fsck -fn /dev/nbd" + i);
      disconnect(i);
    }
    theChangeMapKnowsWhatTheKernelWrote();
    grows();
    assertThat(guest.console())
        .doesNotContain("I/O error", "EXT4-fs error", "EXT4-fs warning", "BUG:", "Call Trace");
    guest.powerOff();
    lab.ok("snapshot", "destroy", "running");
    lab.ok("snapshot", "destroy", "frozen");
    lab.detachWhenUnused("vm1");
    lab.unload();
  }

  /** Leaves them mounted. */
  private void imagesAreAsTheFilesWere(String before, String after) throws IOException {
    connect("vm1@running", 1);
    mount(1, "/running");
    assertThat(guest.console()).contains("EXT4-fs (nbd1): recovery complete");
    assertThat(hashes("/running")).isEqualTo(before);
    connect("vm1@frozen", 2);
    mount(2, "/frozen");
    assertThat(guest.console()).doesNotContain("EXT4-fs (nbd2): recovery");
    assertThat(hashes("/frozen")).isEqualTo(after);

    guest.run("echo 'written to the image' >/running/only-in-the-image; umount /running");
    disconnect(1);
    connect("vm1@running", 1);
    mount(1, "/running");
    assertThat(guest.run("cat /running/only-in-the-image")).isEqualTo("written to the image");
    assertThat(guest.run("ls /files /frozen")).doesNotContain("only-in-the-image");
  }

  private void trims(Path disk) throws IOException {
    long allocated = Lab.allocated(disk);
    guest.run("rm -r /files/before /files/beside; sync; fstrim /files");
    assertThat(Lab.allocated(disk)).isLessThan(allocated - 10 * MIB);
  }

  private void theChangeMapKnowsWhatTheKernelWrote() throws IOException {
    boolean[] changed = lab.changed("vm1", SIZE, "--since", "frozen");
    byte[] then = lab.content("vm1@frozen");
    byte[] now = lab.content("vm1");
    int different = 0;
    for (int i = 0; i < changed.length; i++) {
      int from = i * Lab.BLOCK;
      int to = from + Lab.BLOCK;
      if (!Arrays.equals(then, from, to, now, from, to)) {
        assertThat(changed[i]).as("block %d was changed", i).isTrue();
        different++;
      }
    }
    assertThat(different).isPositive();
  }

  /** A client that connects anew sees the new size, and its file system can have it. */
  private void grows() throws IOException {
    lab.ok("resize", "vm1", Long.toString(2 * SIZE));
    connect("vm1", 0);
    assertThat(queue(0, "size")).isEqualTo(Long.toString(2 * SIZE / 512));
    guest.run("e2fsck -fp /dev/nbd0 && resize2fs /dev/nbd0");
    mount(0, "/files");
    long free = Long.parseLong(guest.run("df -k /files | awk 'END { print $4 }'"));
    assertThat(free * 1024).isGreaterThan(SIZE);
    guest.run("umount /files && e2fsck -fn /dev/nbd0");
    disconnect(0);
  }
}
