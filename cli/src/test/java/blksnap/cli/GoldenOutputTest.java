package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.FakeEngine;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every command prints, whole, in each of the three forms. */
final class GoldenOutputTest {
  @Test
  void printsTheVersion() {
    assertThat(table("version"))
        .isEqualTo(
            """
            1.0.0.0
            """);
    assertThat(plain("version"))
        .isEqualTo(
            """
            1.0.0.0
            """);
    assertThat(json("version"))
        .isEqualTo(
            """
            {"version":"1.0.0.0"}
            """);
  }

  @Test
  void printsTheModule() {
    assertThat(table("modinfo"))
        .isEqualTo(
            """
            name:         blksnap
            version:      1.0.0.0
            license:      Apache-2.0
            description:  Snapshots and changed block tracking
            initstate:    live
            pid:          99999999
            run_dir:      /run/blksnap
            state_dir:    /var/lib/blksnap
            parm:         chunk_minimum_shift: log2 of the bytes in the smallest chunk
            parm:         chunk_maximum_in_cache: most chunks in memory
            """);
    assertThat(plain("modinfo"))
        .isEqualTo(
            """
            name\tblksnap
            version\t1.0.0.0
            license\tApache-2.0
            description\tSnapshots and changed block tracking
            initstate\tlive
            pid\t99999999
            run_dir\t/run/blksnap
            state_dir\t/var/lib/blksnap
            parm\tchunk_minimum_shift: log2 of the bytes in the smallest chunk
            parm\tchunk_maximum_in_cache: most chunks in memory
            """);
    assertThat(json("modinfo"))
        .isEqualTo(
            """
            {"name":"blksnap","version":"1.0.0.0","license":"Apache-2.0",\
            "description":"Snapshots and changed block tracking","initstate":"live","pid":99999999,\
            "run_directory":"/run/blksnap","state_directory":"/var/lib/blksnap",\
            "parameters":[{"name":"chunk_minimum_shift","value":20,"default_value":18,"minimum":12,\
            "maximum":30,"description":"log2 of the bytes in the smallest chunk",\
            "takes_effect":"the next snapshot take"},{"name":"chunk_maximum_in_cache","value":32,\
            "default_value":32,"minimum":0,"maximum":65536,"description":"most chunks in memory",\
            "takes_effect":"at once"}]}
            """);
  }

  @Test
  void printsTheLog() {
    assertThat(table("dmesg"))
        .isEqualTo(
            """
            [    0.000017] Loading
            [   12.000345] low\\x1b[31m on space
            """);
    assertThat(plain("dmesg"))
        .isEqualTo(
            """
            0.000017\tinfo\tLoading
            12.000345\twarning\tlow\\x1b[31m on space
            """);
    assertThat(json("dmesg"))
        .isEqualTo(
            """
            {"lines":[{"sequence":0,"since_load_us":17,"level":"info","text":"Loading"},\
            {"sequence":1,"since_load_us":12000345,"level":"warning",\
            "text":"low\\u001b[31m on space"}]}
            """);
  }

  @Test
  void printsTheParameters() {
    assertThat(table("param", "list"))
        .isEqualTo(
            """
            NAME                    VALUE  DEFAULT  MINIMUM  MAXIMUM  TAKES EFFECT
            chunk_minimum_shift        20       18       12       30  the next snapshot take
            chunk_maximum_in_cache     32       32        0    65536  at once
            """);
    assertThat(plain("param", "list"))
        .isEqualTo(
            """
            chunk_minimum_shift\t20
            chunk_maximum_in_cache\t32
            """);
    assertThat(json("param", "list"))
        .isEqualTo(
            """
            {"parameters":[{"name":"chunk_minimum_shift","value":20,"default_value":18,"minimum":12,\
            "maximum":30,"description":"log2 of the bytes in the smallest chunk",\
            "takes_effect":"the next snapshot take"},{"name":"chunk_maximum_in_cache","value":32,\
            "default_value":32,"minimum":0,"maximum":65536,"description":"most chunks in memory",\
            "takes_effect":"at once"}]}
            """);
  }

  @Test
  void printsOneParameter() {
    assertThat(table("param", "get", "chunk_minimum_shift"))
        .isEqualTo(
            """
            20
            """);
    assertThat(plain("param", "get", "chunk_minimum_shift"))
        .isEqualTo(
            """
            20
            """);
    assertThat(json("param", "get", "chunk_minimum_shift"))
        .isEqualTo(
            """
            {"name":"chunk_minimum_shift","value":20,"default_value":18,"minimum":12,"maximum":30,\
            "description":"log2 of the bytes in the smallest chunk",\
            "takes_effect":"the next snapshot take"}
            """);
  }

  @Test
  void printsTheUriOfAnAttachedDevice() {
    assertThat(table("attach", "vm1.img"))
        .isEqualTo(
            """
            nbd+unix:///vm1?socket=/run/blksnap/nbd.sock
            """);
    assertThat(plain("attach", "vm1.img"))
        .isEqualTo(
            """
            nbd+unix:///vm1?socket=/run/blksnap/nbd.sock
            """);
    assertThat(json("attach", "vm1.img"))
        .isEqualTo(
            """
            {"device":{"name":"vm1","path":"/here/vm1.img","size_bytes":10737418240,\
            "read_only":false,"cache":"writeback",\
            "uri":"nbd+unix:///vm1?socket=/run/blksnap/nbd.sock","clients":["qemu"],\
            "snapshots":["monday"]},"warnings":[]}
            """);
  }

  @Test
  void printsTheDevices() {
    assertThat(table("devices"))
        .isEqualTo(
            """
            NAME  SIZE  MODE  CACHE      CLIENTS  SNAPSHOTS  PATH
            vm1    10G  rw    writeback        1  monday     /srv/vm1.img
            data  1.5G  ro    direct           0  -          /dev/vg0/tab\\there
            """);
    assertThat(plain("devices"))
        .isEqualTo(
            """
            vm1\t/srv/vm1.img\t10737418240\tnbd+unix:///vm1?socket=/run/blksnap/nbd.sock
            data\t/dev/vg0/tab\\there\t1610612736\tnbd+unix:///data?socket=/run/blksnap/nbd.sock
            """);
    assertThat(json("devices"))
        .isEqualTo(
            """
            {"devices":[{"name":"vm1","path":"/srv/vm1.img","size_bytes":10737418240,\
            "read_only":false,"cache":"writeback",\
            "uri":"nbd+unix:///vm1?socket=/run/blksnap/nbd.sock","clients":["qemu"],\
            "snapshots":["monday"]},{"name":"data","path":"/dev/vg0/tab\\there",\
            "size_bytes":1610612736,"read_only":true,"cache":"direct",\
            "uri":"nbd+unix:///data?socket=/run/blksnap/nbd.sock","clients":[],"snapshots":[]}]}
            """);
  }

  @Test
  void printsTheStateOfAChangeMap() {
    assertThat(table("cbt", "info", "vm1"))
        .isEqualTo(
            """
            device:           vm1
            size:             1G (1073741824 bytes)
            block size:       64K (65536 bytes)
            blocks:           16384
            dirty blocks:     42
            generation:       aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee
            snapshot number:  7
            """);
    assertThat(plain("cbt", "info", "vm1"))
        .isEqualTo(
            """
            device\tvm1
            block_size\t65536
            block_count\t16384
            device_capacity\t1073741824
            generation_id\taaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee
            snap_number\t7
            dirty_blocks\t42
            """);
    assertThat(json("cbt", "info", "vm1"))
        .isEqualTo(
            """
            {"device":"vm1","block_size":65536,"block_count":16384,"device_capacity":1073741824,\
            "generation_id":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","snap_number":7,\
            "dirty_blocks":42}
            """);
  }

  @Test
  void printsTheRangesOfAChangeMap() {
    assertThat(table("cbt", "map", "vm1"))
        .isEqualTo(
            """
                         OFFSET    LENGTH
                              0       64K
                        1048576      192K
            """);
    assertThat(plain("cbt", "map", "vm1"))
        .isEqualTo(
            """
            0\t65536
            1048576\t196608
            """);
    assertThat(json("cbt", "map", "vm1"))
        .isEqualTo(
            """
            {"ranges":[{"offset":0,"length":65536},{"offset":1048576,"length":196608}]}
            """);
  }

  @Test
  void printsTheUuidOfACreatedSnapshot() {
    assertThat(table("snapshot", "create", "vm1", "--storage", "s"))
        .isEqualTo(
            """
            11111111-2222-4333-8444-555555555555
            """);
    assertThat(plain("snapshot", "create", "vm1", "--storage", "s"))
        .isEqualTo(
            """
            11111111-2222-4333-8444-555555555555
            """);
    assertThat(json("snapshot", "create", "vm1", "--storage", "s"))
        .isEqualTo(
            """
            {"id":"11111111-2222-4333-8444-555555555555","name":"monday"}
            """);
  }

  @Test
  void printsTheSnapshots() {
    assertThat(table("snapshot", "list"))
        .isEqualTo(
            """
            ID                                    NAME    STATE    DEVICES             TAKEN\
                             USED  LIMIT
            11111111-2222-4333-8444-555555555555  monday  taken    vm1, data (ENOSPC)\
              2026-03-02T04:05:06Z  300M    20G
            99999999-2222-4333-8444-555555555555  -       created  vm1                 -\
                                   0B      -
            """);
    assertThat(plain("snapshot", "list"))
        .isEqualTo(
            """
            11111111-2222-4333-8444-555555555555\tmonday\ttaken\tvm1,data\t2026-03-02T04:05:06.789Z
            99999999-2222-4333-8444-555555555555\t99999999-2222-4333-8444-555555555555\tcreated\tvm1\
            \t
            """);
    assertThat(json("snapshot", "list"))
        .isEqualTo(
            """
            {"snapshots":[{"id":"11111111-2222-4333-8444-555555555555","name":"monday",\
            "state":"taken","devices":[{"device":"vm1"},{"device":"data","errno":"ENOSPC"}],\
            "taken_at":"2026-03-02T04:05:06.789Z","durability":"process","on_full":{"wait":true,\
            "wait_seconds":30},"take_pause_us":812,"consistency":"crash-consistent",\
            "consistency_reason":"no file system was frozen",\
            "storage":{"capacity":1073741824,"filled":314572800,"limit":21474836480,"free":16106127360}},\
            {"id":"99999999-2222-4333-8444-555555555555",\
            "name":"99999999-2222-4333-8444-555555555555","state":"created",\
            "devices":[{"device":"vm1"}],"durability":"none","on_full":{"wait":false},\
            "storage":{"capacity":0,"filled":0,"free":1099511627776}}]}
            """);
  }

  @Test
  void printsOneSnapshot() {
    assertThat(table("snapshot", "info", "monday"))
        .isEqualTo(
            """
            id:                11111111-2222-4333-8444-555555555555
            name:              monday
            state:             taken
            taken:             2026-03-02T04:05:06Z
            take pause:        812 us
            consistency:       crash-consistent (no file system was frozen)
            durability:        process
            on full:           wait:30
            storage used:      300M (314572800 bytes)
            storage capacity:  1G (1073741824 bytes)
            storage limit:     20G (21474836480 bytes)
            storage free:      15G (16106127360 bytes)
            device:            vm1
            device:            data is corrupt: no space left (ENOSPC)
            """);
    assertThat(plain("snapshot", "info", "monday"))
        .isEqualTo(
            """
            id\t11111111-2222-4333-8444-555555555555
            name\tmonday
            state\ttaken
            taken_at\t2026-03-02T04:05:06.789Z
            take_pause_us\t812
            consistency\tcrash-consistent
            consistency_reason\tno file system was frozen
            durability\tprocess
            on_full\twait:30
            storage_filled\t314572800
            storage_capacity\t1073741824
            storage_limit\t21474836480
            storage_free\t16106127360
            storage_full_in_s\t
            storage_trouble\t
            device\tvm1
            device\tdata
            corrupt\tdata ENOSPC
            """);
    assertThat(json("snapshot", "info", "monday"))
        .isEqualTo(
            """
            {"id":"11111111-2222-4333-8444-555555555555","name":"monday","state":"taken",\
            "devices":[{"device":"vm1"},{"device":"data","errno":"ENOSPC"}],\
            "taken_at":"2026-03-02T04:05:06.789Z","durability":"process","on_full":{"wait":true,\
            "wait_seconds":30},"take_pause_us":812,"consistency":"crash-consistent",\
            "consistency_reason":"no file system was frozen",\
            "storage":{"capacity":1073741824,"filled":314572800,"limit":21474836480,"free":16106127360}}
            """);
  }

  @Test
  void printsTheImagesOfASnapshot() {
    assertThat(table("snapshot", "images", "monday"))
        .isEqualTo(
            """
            DEVICE  IMAGE       SIZE  URI
            vm1     vm1@monday   10G  nbd+unix:///vm1@monday?socket=/run/blksnap/nbd.sock
            """);
    assertThat(plain("snapshot", "images", "monday"))
        .isEqualTo(
            """
            vm1\tvm1@monday\t10737418240\tnbd+unix:///vm1@monday?socket=/run/blksnap/nbd.sock
            """);
    assertThat(json("snapshot", "images", "monday"))
        .isEqualTo(
            """
            {"images":[{"device":"vm1","image":"vm1@monday","size_bytes":10737418240,\
            "uri":"nbd+unix:///vm1@monday?socket=/run/blksnap/nbd.sock"}]}
            """);
  }

  @Test
  void printsAnEvent() {
    assertThat(table("snapshot", "wait", "monday"))
        .isEqualTo(
            """
            low_free_space: diff storage is running low, 1G more is wanted
            """);
    assertThat(plain("snapshot", "wait", "monday"))
        .isEqualTo(
            """
            low_free_space\t2097152
            """);
    assertThat(json("snapshot", "wait", "monday"))
        .isEqualTo(
            """
            {"time_ns":5,"event":"low_free_space","requested_sectors":2097152}
            """);
  }

  @Test
  void printsTheWholeStatusTree() {
    assertThat(table("status"))
        .isEqualTo(
            """
            /
            └── sys
                ├── module
                │   └── blksnap
                │       ├── version    1.0.0.0
                │       ├── initstate  live
                │       └── parameters
                │           └── chunk_minimum_shift  18
                └── block
                    └── vm1
                        └── ro  0
            """);
    assertThat(plain("status"))
        .isEqualTo(
            """
            /sys/module/blksnap/version\t1.0.0.0
            /sys/module/blksnap/initstate\tlive
            /sys/module/blksnap/parameters/chunk_minimum_shift\t18
            /sys/block/vm1/ro\t0
            """);
    assertThat(json("status"))
        .isEqualTo(
            """
            {"sys":{"module":{"blksnap":{"version":"1.0.0.0","initstate":"live",\
            "parameters":{"chunk_minimum_shift":"18"}}},"block":{"vm1":{"ro":"0"}}}}
            """);
  }

  @Test
  void printsAPartOfTheStatusTree() {
    assertThat(table("status", "/sys/block"))
        .isEqualTo(
            """
            /sys/block
            └── vm1
                └── ro  0
            """);
    assertThat(plain("status", "/sys/block"))
        .isEqualTo(
            """
            /sys/block/vm1/ro\t0
            """);
    assertThat(json("status", "/sys/block"))
        .isEqualTo(
            """
            {"vm1":{"ro":"0"}}
            """);
  }

  @Test
  void printsOneValueOfTheStatusTree() {
    assertThat(table("cat", "/x"))
        .isEqualTo(
            """
            18
            """);
    assertThat(plain("cat", "/x"))
        .isEqualTo(
            """
            18
            """);
    assertThat(json("cat", "/x"))
        .isEqualTo(
            """
            {"value":"18"}
            """);
  }

  @Test
  void saysNothingOfATakeThatWasAskedForNothingMore() {
    assertThat(table("snapshot", "take", "monday")).isEmpty();
    assertThat(plain("snapshot", "take", "monday")).isEmpty();
    assertThat(json("snapshot", "take", "monday"))
        .isEqualTo(
            """
            {"consistency":"crash-consistent","consistency_reason":"no file system was frozen",\
            "warnings":[]}
            """);
  }

  @Test
  void saysHowConsistentATakeWithHooksIs() {
    assertThat(table("snapshot", "take", "monday", "--post", "true"))
        .isEqualTo("crash-consistent (no file system was frozen)\n");
    assertThat(plain("snapshot", "take", "monday", "--post", "true"))
        .isEqualTo("crash-consistent\tno file system was frozen\n");
  }

  @Test
  void printsTheSizesOfAResize() {
    assertThat(table("resize", "vm1", "20G"))
        .isEqualTo("vm1: 10G (10737418240 bytes) -> 20G (21474836480 bytes)\n");
    assertThat(plain("resize", "vm1")).isEqualTo("vm1\t10737418240\t21474836480\n");
    assertThat(json("resize", "vm1"))
        .isEqualTo(
            """
            {"device":"vm1","old_size_bytes":10737418240,"size_bytes":21474836480}
            """);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "param set a 1",
        "detach vm1",
        "cbt mark vm1 0:8",
        "snapshot add monday vm2",
        "snapshot append-storage monday x",
        "snapshot destroy monday",
        "unload"
      })
  void printsNothingButAnEmptyObjectWhenThereIsNothingToSay(String line) {
    String[] args = line.split(" ");
    assertThat(table(args)).isEmpty();
    assertThat(plain(args)).isEmpty();
    assertThat(json(args)).isEqualTo("{}\n");
  }

  private static String table(String... args) {
    return output("table", args);
  }

  private static String plain(String... args) {
    return output("plain", args);
  }

  private static String json(String... args) {
    return output("json", args);
  }

  private static String output(String format, String... args) {
    var words = new ArrayList<>(List.of(args));
    words.addAll(List.of("-o", format));
    var run = CommandRun.of(new FakeEngine(), words.toArray(String[]::new));
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    return run.out();
  }
}
