package blksnap.status;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.status.StatusNode.Attribute;
import blksnap.status.StatusNode.Directory;
import java.util.List;
import org.junit.jupiter.api.Test;

final class StatusTreeTest {
  private static final Attribute VERSION = new Attribute("version", "1.0.0.0", false);
  private static final Directory MODULE = new Directory("module", List.of(VERSION));
  private static final Directory ROOT =
      new Directory("", List.of(new Directory("sys", List.of(MODULE))));

  @Test
  void findsTheRoot() throws BlkSnapException {
    assertThat(StatusTree.find(ROOT, StatusPath.ROOT)).isSameAs(ROOT);
  }

  @Test
  void findsADirectoryAndAnAttribute() throws BlkSnapException {
    assertThat(StatusTree.directory(ROOT, StatusPath.of("/sys//module/"))).isSameAs(MODULE);
    assertThat(StatusTree.attribute(ROOT, StatusPath.of("/sys/module/version"))).isSameAs(VERSION);
  }

  @Test
  void suggestsTheNearestNameWhenThereIsNoSuchEntry() {
    BlkSnapException thrown =
        catchThrowableOfType(
            BlkSnapException.class,
            () -> StatusTree.find(ROOT, StatusPath.of("/sys/module/vresion")));
    assertThat(thrown.errno()).isEqualTo(Errno.ENOENT);
    assertThat(thrown).hasMessage("there is no 'vresion' in /sys/module");
    assertThat(thrown.hint()).isEqualTo("did you mean 'version'?");
  }

  @Test
  void suggestsNothingWhenNoNameIsAlike() {
    BlkSnapException thrown =
        catchThrowableOfType(
            BlkSnapException.class, () -> StatusTree.find(ROOT, StatusPath.of("/proc")));
    assertThat(thrown).hasMessage("there is no 'proc' in /");
    assertThat(thrown.hint()).isEmpty();
  }

  @Test
  void refusesToGoOnBelowAnAttribute() {
    BlkSnapException thrown =
        catchThrowableOfType(
            BlkSnapException.class,
            () -> StatusTree.find(ROOT, StatusPath.of("/sys/module/version/major")));
    assertThat(thrown.errno()).isEqualTo(Errno.ENOTDIR);
    assertThat(thrown).hasMessage("/sys/module/version is a value, not a directory");
  }

  @Test
  void refusesADirectoryWhereAnAttributeIsWanted() {
    BlkSnapException thrown =
        catchThrowableOfType(
            BlkSnapException.class, () -> StatusTree.attribute(ROOT, StatusPath.of("/sys/module")));
    assertThat(thrown.errno()).isEqualTo(Errno.EISDIR);
    assertThat(thrown).hasMessage("/sys/module is a directory");
  }

  @Test
  void refusesAnAttributeWhereADirectoryIsWanted() {
    BlkSnapException thrown =
        catchThrowableOfType(
            BlkSnapException.class,
            () -> StatusTree.directory(ROOT, StatusPath.of("/sys/module/version")));
    assertThat(thrown.errno()).isEqualTo(Errno.ENOTDIR);
  }
}
