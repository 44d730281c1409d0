package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.RealClients;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Scripts of libnbd's shell against an engine: every part of the protocol that libnbd knows. A
 * script has {@code h}, a handle that is not connected yet, and prints what it sees.
 */
@Timeout(120)
class NbdshIT {
  private static final int BLOCK = 4096;
  private static final int SIZE = 64 * BLOCK;

  /** What every script begins with. */
  private static final String PRELUDE =
      """
      import errno, nbd, sys

      def connect(export):
          h.connect_uri("nbd+unix:///%s?socket=SOCKET" % export)

      def outcome(call, *arguments, **more):
          try:
              call(*arguments, **more)
              return "ok"
          except nbd.Error as e:
              return e.errno

      """;

  @TempDir private Path directory;

  private TestEngine engine;

  @BeforeEach
  void takeOnce() throws IOException {
    RealClients.require(
        Commands.works("env", "PATH=/usr/bin:/bin", "nbdsh", "--version"),
        "nbdsh is not installed");
    engine = new TestEngine(directory);
    byte[] content = Bytes.pattern(1, 0, SIZE);
    Arrays.fill(content, 16 * BLOCK, 48 * BLOCK, (byte) 0);
    Path disk = Files.write(directory.resolve("disk.img"), content);
    Commands.run("fallocate", "--dig-holes", disk.toString());
    engine.attach("disk", disk, false);
    engine.attach("frozen", Files.write(directory.resolve("frozen.img"), content), true);
    engine.take("s1", "disk");
    assertThat(engine.write("disk", 8 * BLOCK, Bytes.pattern(2, 0, 4 * BLOCK))).isZero();
  }

  @AfterEach
  void close() throws IOException {
    if (engine != null) {
      engine.close();
    }
  }

  /** Debian's nbdsh is for Debian's Python, whichever else comes first on the PATH. */
  private String nbdsh(String script) throws IOException {
    String socket = directory.resolve("run/nbd.sock").toString();
    String whole = PRELUDE.replace("SOCKET", socket) + script;
    return Commands.run("env", "PATH=/usr/bin:/bin", "nbdsh", "-c", whole);
  }

  @Test
  void learnsWhatAnExportIsAndCan() throws IOException {
    String script =
        """
        h.set_full_info(True)
        connect("%s")
        print(h.get_protocol(), h.get_structured_replies_negotiated(), h.get_size())
        print(h.get_canonical_export_name(), "/", h.get_export_description().split(" /")[0])
        print([h.get_block_size(n) for n in range(3)])
        print([name for name in dir(h)
               if name[:3] in ("can", "is_") and name != "can_meta_context" and getattr(h, name)()])
        """;
    assertThat(nbdsh(script.formatted("disk")))
        .isEqualTo(
            """
            newstyle-fixed True 262144
            disk / device
            [1, 4096, 33554432]
            ['can_cache', 'can_df', 'can_fast_zero', 'can_flush', 'can_fua', 'can_multi_conn', \
            'can_trim', 'can_zero']\
            """);
    assertThat(nbdsh(script.formatted("frozen")))
        .endsWith(
            "['can_cache', 'can_df', 'can_flush', 'can_fua', 'can_multi_conn', 'is_read_only']");
    assertThat(nbdsh(script.formatted("disk@s1")))
        .contains("disk@s1 / image of disk in snapshot s1")
        .contains("'can_fast_zero'")
        .doesNotContain("is_read_only");
  }

  @Test
  void listsExportsAndContexts() throws IOException {
    String said =
        nbdsh(
            """
            h.set_opt_mode(True)
            connect("disk")
            h.opt_list(lambda name, description: print(name))

            def contexts():
                h.opt_list_meta_context(lambda name: print("  " + name))

            contexts()
            h.set_export_name("nothing")
            print("info of nothing:", outcome(h.opt_info))
            h.set_export_name("disk@s1")
            contexts()
            h.add_meta_context("qemu:allocation-depth")
            contexts()
            h.opt_go()
            print(h.aio_is_ready(), h.can_meta_context("qemu:allocation-depth"))
            """);
    assertThat(said)
        .isEqualTo(
            """
            disk
            frozen
            disk@s1
              base:allocation
              qemu:dirty-bitmap:since-1
              qemu:dirty-bitmap:since-s1
              blksnap:cbt
            info of nothing: ENOENT
              base:allocation
              qemu:dirty-bitmap:since-0
              blksnap:cbt
              qemu:allocation-depth
              qemu:allocation-depth
            True True\
            """);
  }

  @Test
  void leavesWhileItNegotiates() throws IOException {
    String script =
        "h.set_opt_mode(True); connect('disk'); h.opt_abort(); print(h.aio_is_closed())";
    assertThat(nbdsh(script)).isEqualTo("True");
  }

  /** A libnbd that knows extended headers, from 1.18 on, does all this with them. */
  @Test
  void readsInChunks() throws IOException {
    String said =
        nbdsh(
            """
            connect("disk")
            print(getattr(h, "get_extended_headers_negotiated", lambda: True)())

            def chunks(count, offset, flags=0):
                seen = []
                words = {nbd.READ_DATA: "data", nbd.READ_HOLE: "hole", nbd.READ_ERROR: "error"}
                data = h.pread_structured(
                    count, offset, lambda part, at, status, error:
                        seen.append((at, words[status], len(part))), flags)
                assert data == h.pread(count, offset)
                print(sorted(seen))

            chunks(262144, 0)
            chunks(262144, 0, nbd.CMD_FLAG_DF)
            chunks(131072, 65536, nbd.CMD_FLAG_DF)
            chunks(1, 5)
            """);
    assertThat(said)
        .isEqualTo(
            """
            True
            [(0, 'data', 65536), (65536, 'hole', 131072), (196608, 'data', 65536)]
            [(0, 'data', 262144)]
            [(65536, 'hole', 131072)]
            [(5, 'data', 1)]\
            """);
  }

  @Test
  void asksForTheStatusOfBlocksInEveryContext() throws IOException {
    String script =
        """
        names = ["base:allocation", "blksnap:cbt", "qemu:allocation-depth",
                 "qemu:dirty-bitmap:since-s1", "qemu:dirty-bitmap:since-0", "nobody:knows"]
        for name in names:
            h.add_meta_context(name)
        connect("%s")
        assert not h.can_meta_context("nobody:knows")
        seen = {}

        def status(count, offset, flags=0):
            seen.clear()
            h.block_status(
                count, offset, lambda name, at, extents, error:
                    seen.update({name: [n for n in extents]}), flags)
            print("\\n".join("%%s %%s" %% (name, seen[name]) for name in names if name in seen))

        status(262144, 0)
        status(65536, 28672, nbd.CMD_FLAG_REQ_ONE)
        """;
    assertThat(nbdsh(script.formatted("disk")))
        .isEqualTo(
            """
            base:allocation [65536, 0, 131072, 3, 65536, 0]
            blksnap:cbt [32768, 0, 16384, 2, 212992, 0]
            qemu:dirty-bitmap:since-s1 [32768, 0, 16384, 1, 212992, 0]
            qemu:dirty-bitmap:since-0 [32768, 0, 16384, 1, 212992, 0]
            base:allocation [36864, 0]
            blksnap:cbt [4096, 0]
            qemu:dirty-bitmap:since-s1 [4096, 0]
            qemu:dirty-bitmap:since-0 [4096, 0]\
            """);
    assertThat(nbdsh(script.formatted("disk@s1")))
        .isEqualTo(
            """
            base:allocation [65536, 0, 131072, 3, 65536, 0]
            blksnap:cbt [262144, 0]
            qemu:allocation-depth [32768, 0, 16384, 1, 212992, 0]
            qemu:dirty-bitmap:since-0 [262144, 0]
            base:allocation [36864, 0]
            blksnap:cbt [65536, 0]
            qemu:allocation-depth [4096, 0]
            qemu:dirty-bitmap:since-0 [65536, 0]\
            """);
  }

  @Test
  void changesAndReadsBack() throws IOException {
    String said =
        nbdsh(
            """
            connect("disk")
            for flags in (0, nbd.CMD_FLAG_FUA):
                h.pwrite(b"a" * 8192, 4095, flags)
                h.zero(4096, 5000, flags)
                h.zero(100, 4999, flags | nbd.CMD_FLAG_NO_HOLE)
                h.trim(4096, 262144 - 4096, flags)
                data = h.pread(8194, 4094)
                print(data[1:905] == b"a" * 904, data[905:5002] == bytes(4097))
                print(data[5002:8193] == b"a" * 3191, data[8193] != b"a"[0])
            h.cache(262144, 0)
            h.flush()
            cookies = [h.aio_pwrite(bytes([i]) * 4096, i * 4096) for i in range(64)]
            while h.aio_in_flight() > 0:
                h.poll(-1)
            print(all(h.aio_command_completed(cookie) for cookie in cookies))
            print(h.pread(262144, 0) == b"".join(bytes([i]) * 4096 for i in range(64)))
            """);
    assertThat(said).isEqualTo("True True\nTrue True\nTrue True\nTrue True\nTrue\nTrue");
  }

  @Test
  void getsTheRightErrorWhenItBreaksTheRules() throws IOException {
    String script =
        """
        h.set_strict_mode(0)
        h.set_request_structured_replies(%s)
        %s
        connect("%s")
        size = h.get_size()

        def told(what, call, *arguments):
            print("%%s: %%s" %% (what, outcome(call, *arguments)))

        ignored = lambda *arguments: 0
        told("read beyond", h.pread, 512, size)
        told("read far beyond", h.pread, 512, 2**63)
        told("read with REQ_ONE", h.pread, 512, 0, nbd.CMD_FLAG_REQ_ONE)
        told("read with FUA", h.pread, 512, 0, nbd.CMD_FLAG_FUA)
        told("read with DF", h.pread_structured, 512, 0, ignored, nbd.CMD_FLAG_DF)
        told("read of nothing", h.pread, 0, 0)
        told("write beyond", h.pwrite, bytes(512), size - 511)
        told("write with DF", h.pwrite, bytes(512), 0, nbd.CMD_FLAG_DF)
        told("write of nothing", h.pwrite, b"", 0)
        told("zero beyond", h.zero, 512, size)
        told("zero with DF", h.zero, 512, 0, nbd.CMD_FLAG_DF)
        told("trim beyond", h.trim, 512, size)
        told("trim with NO_HOLE", h.trim, 512, 0, nbd.CMD_FLAG_NO_HOLE)
        told("cache beyond", h.cache, 512, size)
        told("flush with DF", h.flush, nbd.CMD_FLAG_DF)
        told("status beyond", h.block_status, 512, size, ignored)
        told("status", h.block_status, 512, 0, ignored)
        print("and goes on:", len(h.pread(512, 0)))
        """;
    String context = "h.add_meta_context('base:allocation')";
    String expected =
        """
        read beyond: EINVAL
        read far beyond: EINVAL
        read with REQ_ONE: EINVAL
        read with FUA: ok
        read with DF: ok
        read of nothing: ok
        write beyond: ENOSPC
        write with DF: EINVAL
        write of nothing: ok
        zero beyond: ENOSPC
        zero with DF: EINVAL
        trim beyond: EINVAL
        trim with NO_HOLE: EINVAL
        cache beyond: EINVAL
        flush with DF: EINVAL
        status beyond: EINVAL
        status: ok
        and goes on: 512\
        """;
    assertThat(nbdsh(script.formatted("True", context, "disk"))).isEqualTo(expected);
    assertThat(nbdsh(script.formatted("True", "", "frozen")).lines())
        .contains("read beyond: EINVAL", "write of nothing: EPERM", "write beyond: EPERM")
        .contains("zero beyond: EPERM", "trim beyond: EPERM", "trim with NO_HOLE: EINVAL")
        .contains("status: EINVAL", "and goes on: 512"); // of no context
    assertThat(nbdsh(script.formatted("False", "", "disk")).lines())
        .contains("read with DF: EINVAL", "write beyond: ENOSPC", "status: EINVAL")
        .contains("and goes on: 512");
  }
}
