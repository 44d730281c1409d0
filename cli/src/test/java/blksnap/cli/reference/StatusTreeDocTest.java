package blksnap.cli.reference;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.param.Parameter;
import blksnap.status.StatusNode;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That the document about the status tree tells of every value in it. */
final class StatusTreeDocTest {
  @TempDir private Path directory;

  @Test
  void tellsOfEveryValueThatAnEngineHas() throws IOException {
    String text = Files.readString(Path.of("docs/sysfs.md").toAbsolutePath());
    List<String> untold = new ArrayList<>();
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", new byte[1 << 20]);
      engine.take("monday", "vm1");
      var tree = engine.ask(CtrlReply.Tree.class, new CtrlRequest.Status("/sys"));
      collectUntold(tree.node(), "", text, untold);
      engine.destroy("monday");
    }
    assertThat(untold).isEmpty();
  }

  private static void collectUntold(
      StatusNode node, String parent, String text, List<String> untold) {
    switch (node) {
      case StatusNode.Directory(String name, List<StatusNode> entries) ->
          entries.forEach(entry -> collectUntold(entry, name, text, untold));
      case StatusNode.Attribute attribute -> {
        boolean parameter =
            Arrays.stream(Parameter.values()).anyMatch(p -> p.key().equals(attribute.name()));
        boolean told =
            text.contains("`" + attribute.name() + "`")
                || text.contains("`" + parent + "/" + attribute.name() + "`");
        if (!parameter && !told) {
          untold.add(parent + "/" + attribute.name());
        }
      }
    }
  }
}
