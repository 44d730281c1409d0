package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.SectorRange;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class NamesTest {
  private static final UUID FOUR = UUID.fromString("4f1c2d3e-0a1b-4c5d-8e9f-102132435465");
  private static final UUID FIVE = UUID.fromString("5f1c2d3e-0a1b-4c5d-8e9f-102132435465");

  private final Names names =
      new Names(
          () -> List.of("data", "database", "vm1", "vm10", "web7"),
          () ->
              List.of(
                  new Names.SnapshotName(FOUR, "monday"),
                  new Names.SnapshotName(FIVE, FIVE.toString()),
                  new Names.SnapshotName(new UUID(1, 1), "tuesday-1"),
                  new Names.SnapshotName(new UUID(1, 2), "tuesday-12")));

  @ParameterizedTest
  @CsvSource({
    "web7, web7",
    "w, web7",
    "datab, database",
    "data, data",
    "vm1, vm1",
    "x, x",
    "vm2, vm2",
    "'', ''"
  })
  void findsADeviceByAStartThatOnlyOneHas(String typed, String whole) throws BlkSnapException {
    assertThat(names.whole(new CtrlRequest.CbtInfo(typed)))
        .isEqualTo(new CtrlRequest.CbtInfo(whole));
  }

  @ParameterizedTest
  @CsvSource({
    "mon, monday",
    "monday, monday",
    "4f1c2d3e-0a1b-4c5d-8e9f-102132435465, 4f1c2d3e-0a1b-4c5d-8e9f-102132435465",
    "4f1c2d3e-0a, monday",
    "5f1c, 5f1c2d3e-0a1b-4c5d-8e9f-102132435465",
    "tuesday-1, tuesday-1",
    "friday, friday"
  })
  void findsASnapshotByTheStartOfItsNameOrUuid(String typed, String whole) throws BlkSnapException {
    assertThat(names.whole(new CtrlRequest.SnapshotInfo(typed)))
        .isEqualTo(new CtrlRequest.SnapshotInfo(whole));
  }

  @Test
  void refusesAStartOfSeveralAndNamesThem() {
    assertThatThrownBy(() -> names.whole(new CtrlRequest.CbtInfo("da")))
        .isInstanceOfSatisfying(
            BlkSnapException.class,
            refusal -> {
              assertThat(refusal.errno()).isEqualTo(Errno.EINVAL);
              assertThat(refusal.sentence())
                  .isEqualTo("'da' is the start of several devices: data, database");
            });
    assertThatThrownBy(() -> names.whole(new CtrlRequest.SnapshotTake("tues")))
        .hasMessage("'tues' is the start of several snapshots: tuesday-1, tuesday-12");
  }

  @Test
  void namesNotMoreThanEightOfMany() {
    List<String> many = IntStream.range(0, 20).mapToObj(i -> "vm" + i).toList();
    assertThatThrownBy(() -> new Names(() -> many, List::of).whole(new CtrlRequest.CbtInfo("v")))
        .hasMessage(
            "'v' is the start of several devices: vm0, vm1, vm2, vm3, vm4, vm5, vm6, vm7 and 12"
                + " more");
  }

  @Test
  void doesNotTakeTheNeighbourWithALongerNumberWhenSomethingIsThrownAway() throws BlkSnapException {
    var rest = new Names(() -> List.of("vm10"), () -> List.of(new Names.SnapshotName(FOUR, "s12")));
    assertThat(rest.whole(new CtrlRequest.Detach("vm1"))).isEqualTo(new CtrlRequest.Detach("vm1"));
    assertThat(rest.whole(new CtrlRequest.Detach("vm"))).isEqualTo(new CtrlRequest.Detach("vm10"));
    assertThat(rest.whole(new CtrlRequest.SnapshotDestroy("s1")))
        .isEqualTo(new CtrlRequest.SnapshotDestroy("s1"));
    assertThat(rest.whole(new CtrlRequest.SnapshotDestroy("4f1")))
        .isEqualTo(new CtrlRequest.SnapshotDestroy("s12"));
    assertThat(rest.whole(new CtrlRequest.Resize("vm1", OptionalLong.empty(), true, false)))
        .isEqualTo(new CtrlRequest.Resize("vm1", OptionalLong.empty(), true, false));
    assertThat(rest.whole(new CtrlRequest.CbtInfo("vm1")))
        .isEqualTo(new CtrlRequest.CbtInfo("vm10"));
  }

  @Test
  void takesANumberForThatOfATakeAndNotForTheStartOfAUuid() throws BlkSnapException {
    assertThat(names.whole(new CtrlRequest.CbtMap("web7", Optional.of("4"), Optional.empty(), 0)))
        .isEqualTo(new CtrlRequest.CbtMap("web7", Optional.of("4"), Optional.empty(), 0));
    assertThat(names.whole(new CtrlRequest.CbtMap("w", Optional.of("4f"), Optional.of("5"), 7)))
        .isEqualTo(
            new CtrlRequest.CbtMap("web7", Optional.of("monday"), Optional.of(FIVE.toString()), 7));
  }

  @Test
  void findsEveryNameOfARequest() throws BlkSnapException {
    List<SectorRange> ranges = List.of(new SectorRange(0, 8));
    assertThat(names.whole(new CtrlRequest.SnapshotAdd("m", "w")))
        .isEqualTo(new CtrlRequest.SnapshotAdd("monday", "web7"));
    assertThat(names.whole(new CtrlRequest.CbtMark("w", ranges)))
        .isEqualTo(new CtrlRequest.CbtMark("web7", ranges));
    assertThat(names.whole(new CtrlRequest.CbtRaw("w", Optional.of("m"), 5)))
        .isEqualTo(new CtrlRequest.CbtRaw("web7", Optional.of("monday"), 5));
    assertThat(names.whole(new CtrlRequest.SnapshotAppendStorage("m", "/d", ranges)))
        .isEqualTo(new CtrlRequest.SnapshotAppendStorage("monday", "/d", ranges));
    assertThat(names.whole(new CtrlRequest.SnapshotWait("m", 3)))
        .isEqualTo(new CtrlRequest.SnapshotWait("monday", 3));
    assertThat(names.whole(new CtrlRequest.SnapshotImages("m")))
        .isEqualTo(new CtrlRequest.SnapshotImages("monday"));
    assertThat(names.whole(create(List.of("w", "vm1")))).isEqualTo(create(List.of("web7", "vm1")));
    assertThat(names.whole(new CtrlRequest.Cat("/w"))).isEqualTo(new CtrlRequest.Cat("/w"));
  }

  @Test
  void anEngineGoesByThem(@TempDir Path directory) throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("alpha", new byte[1 << 20]);
      engine.attach("beta", new byte[1 << 20]);
      assertThat(engine.cbt("al").device()).isEqualTo("alpha");
      engine.take("monday", "be");
      assertThat(engine.info("mon").devices()).extracting("device").containsExactly("beta");
      assertThatThrownBy(() -> engine.cbt("bata"))
          .isInstanceOfSatisfying(
              BlkSnapException.class,
              refusal -> {
                assertThat(refusal.errno()).isEqualTo(Errno.ENODEV);
                assertThat(refusal.hint()).isEqualTo("did you mean 'beta'?");
              });
      assertThatThrownBy(() -> engine.info("mnoday"))
          .isInstanceOfSatisfying(
              BlkSnapException.class,
              refusal -> assertThat(refusal.hint()).isEqualTo("did you mean 'monday'?"));
      assertThatThrownBy(() -> engine.cbt("zebra"))
          .isInstanceOfSatisfying(
              BlkSnapException.class, refusal -> assertThat(refusal.hint()).isEmpty());
      engine.destroy("m");
    }
  }

  private static CtrlRequest.SnapshotCreate create(List<String> devices) {
    return new CtrlRequest.SnapshotCreate(
        devices,
        "/srv/diff",
        Optional.of(1L),
        Optional.of("n"),
        CtrlRequest.Durability.POWER,
        CtrlRequest.OnFull.BREAK,
        true);
  }
}
