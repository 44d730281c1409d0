package blksnap.status;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.status.StatusNode.Attribute;
import blksnap.status.StatusNode.Directory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class LiveTreeTest {
  /** What was looked into and read, in order. */
  private final List<String> seen = new ArrayList<>();

  private String shift = "18";

  private final LiveTree tree =
      new LiveTree(root ->
          root.directory(
                  "module",
                  module -> {
                    seen.add("module");
                    module
                        .attribute("version", () -> read("version", "1.0.0.0"))
                        .attribute("shift", () -> read("shift", shift), this::setShift);
                  })
              .directory(
                  "block",
                  block -> {
                    seen.add("block");
                    block
                        .attribute("size", () -> read("size", "42"))
                        .attribute(
                            "stat",
                            () -> {
                              throw new BlkSnapException(Errno.ENXIO, "the device is gone");
                            })
                        .attribute(
                            "ro",
                            () -> {
                              throw new IOException("bad sector");
                            });
                  }));

  private String read(String name, String value) {
    seen.add(name);
    return value;
  }

  private void setShift(String value) throws IOException {
    if (value.equals("99")) {
      throw new BlkSnapException(Errno.EINVAL, "shift takes a number from 12 to 30");
    }
    shift = value;
  }

  @Test
  void readsTheWholeTreeInTheOrderItIsDescribed() throws IOException {
    assertThat(tree.snapshot("/"))
        .isEqualTo(
            new Directory(
                "",
                List.of(
                    new Directory(
                        "module",
                        List.of(
                            new Attribute("version", "1.0.0.0", false),
                            new Attribute("shift", "18", true))),
                    new Directory(
                        "block",
                        List.of(
                            new Attribute("size", "42", false),
                            new Attribute("stat", "(ENXIO)", false),
                            new Attribute("ro", "(EIO)", false))))));
  }

  @Test
  void readsOnlyTheDirectoryThatIsAskedFor() throws IOException {
    assertThat(tree.snapshot("module/").name()).isEqualTo("module");
    assertThat(seen).containsExactly("module", "version", "shift");
  }

  @Test
  void readsOnlyTheValueThatIsAskedFor() throws IOException {
    assertThat(tree.snapshot("/block/size")).isEqualTo(new Attribute("size", "42", false));
    assertThat(tree.read("/block/size")).isEqualTo("42");
    assertThat(seen).containsExactly("block", "size", "block", "size");
  }

  @Test
  void readsValuesAnewEachTime() throws IOException {
    assertThat(tree.read("/module/shift")).isEqualTo("18");
    shift = "20";
    assertThat(tree.read("/module/shift")).isEqualTo("20");
  }

  @Test
  void failsWhenTheValueThatIsAskedForCannotBeRead() {
    assertThatThrownBy(() -> tree.read("/block/stat")).hasMessage("the device is gone");
    assertThatThrownBy(() -> tree.snapshot("/block/ro")).hasMessage("bad sector");
  }

  @Test
  void writesAValue() throws IOException {
    tree.write("/module/shift", "20");
    assertThat(shift).isEqualTo("20");
    assertThat(seen).containsExactly("module");
  }

  @Test
  void leavesTheValueWhenTheWriterRefuses() {
    assertThatThrownBy(() -> tree.write("/module/shift", "99")).hasMessageContaining("12 to 30");
    assertThat(shift).isEqualTo("18");
  }

  @Test
  void refusesToWriteAValueThatCanOnlyBeRead() {
    assertErrno(Errno.EACCES, () -> tree.write("/module/version", "2"));
  }

  @Test
  void refusesADirectoryWhereAValueIsWanted() {
    assertErrno(Errno.EISDIR, () -> tree.read("/module"));
    assertErrno(Errno.EISDIR, () -> tree.write("/", "x"));
  }

  @Test
  void refusesToGoOnBelowAValue() {
    assertErrno(Errno.ENOTDIR, () -> tree.read("/module/version/major"));
  }

  @Test
  void suggestsTheNearestNameWhenThereIsNoSuchEntry() {
    assertThatThrownBy(() -> tree.read("/modul/version"))
        .isInstanceOfSatisfying(
            BlkSnapException.class,
            e -> {
              assertThat(e.errno()).isEqualTo(Errno.ENOENT);
              assertThat(e).hasMessage("there is no 'modul' in /");
              assertThat(e.hint()).isEqualTo("did you mean 'module'?");
            });
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".", "..", "a/b", "/"})
  void refusesANameThatNoPathCouldReach(String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new LiveDirectory().attribute(name, () -> ""));
  }

  @Test
  void refusesANameTwice() {
    var directory = new LiveDirectory().attribute("a", () -> "");
    assertThatIllegalArgumentException().isThrownBy(() -> directory.directory("a", d -> {}));
  }

  private static void assertErrno(Errno errno, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }
}
