package blksnap.cli.repl;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.CommandTree;
import blksnap.cli.command.CommandContext;
import blksnap.cli.model.Models;
import blksnap.cli.testing.AllCommands;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** What the build writes of each command says the same as picocli's own look at its annotations. */
final class WrittenModelsTest {
  /** Every command that there is, in the shell or outside. */
  private static List<Object> commands() throws Exception {
    var nowhere = new PrintWriter(Writer.nullWriter());
    CommandContext context = AllCommands.context();
    var found = new ArrayList<Object>(List.of(context.options()));
    collect(new CommandTree(context).full(), found);
    try (var session =
        new ShellSession(
            context, inner -> new CommandTree(inner).withoutShell(), nowhere, nowhere)) {
      collect(session.tree(), found);
    }
    return found;
  }

  private static void collect(CommandLine line, List<Object> found) {
    CommandSpec spec = line.getCommandSpec();
    if (spec.userObject() != null) {
      found.add(spec.userObject());
    }
    spec.mixins().values().forEach(mixin -> found.add(mixin.userObject()));
    line.getSubcommands().values().forEach(below -> collect(below, found));
  }

  @TestFactory
  Stream<DynamicTest> saysTheSameAsTheAnnotations() throws Exception {
    return commands().stream()
        .map(command ->
            DynamicTest.dynamicTest(
                command.getClass().getSimpleName(),
                () ->
                    assertThat(told(Models.of(command)))
                        .isEqualTo(told(CommandSpec.forAnnotatedObject(command)))));
  }

  @Test
  void knowsEveryPackageThatHasCommands() throws Exception {
    assertThat(commands())
        .allSatisfy(command ->
            assertThat(Class.forName(command.getClass().getPackageName() + ".CommandModels"))
                .isNotNull());
  }

  private static List<String> told(CommandSpec spec) {
    var lines = new ArrayList<String>();
    var usage = spec.usageMessage();
    lines.add(
        String.join(
            "|",
            spec.name(),
            Arrays.toString(spec.aliases()),
            Arrays.toString(usage.description()),
            Arrays.toString(usage.footer()),
            Arrays.toString(usage.customSynopsis()),
            usage.synopsisSubcommandLabel(),
            "" + usage.hidden() + usage.sortOptions() + usage.width(),
            spec.mixins().keySet().toString(),
            spec.versionProvider() == null ? "" : spec.versionProvider().getClass().getName()));
    for (ArgSpec arg : spec.args()) {
      lines.add(told(arg));
    }
    lines.add(new CommandLine(spec).getUsageMessage(CommandLine.Help.Ansi.OFF));
    return lines;
  }

  private static String told(ArgSpec arg) {
    Object own =
        switch (arg) {
          case OptionSpec option ->
              Arrays.toString(option.names())
                  + option.usageHelp()
                  + option.versionHelp()
                  + option.negatable()
                  + option.fallbackValue()
                  + option.order();
          case PositionalParamSpec position -> position.index().toString();
          default -> throw new IllegalArgumentException(arg.toString());
        };
    return String.join(
        "|",
        own.toString(),
        Arrays.toString(arg.description()),
        arg.paramLabel(),
        "" + arg.arity() + arg.arity().isVariable() + arg.required() + arg.hidden(),
        "" + arg.hideParamSyntax() + arg.scopeType() + arg.inherited() + arg.splitRegex(),
        arg.typeInfo().getClassName() + arg.typeInfo().getAuxiliaryTypeInfos().size(),
        Arrays.toString(arg.auxiliaryTypes()),
        String.valueOf(arg.defaultValue()),
        Objects.toString(arg.initialValue()) + arg.hasInitialValue(),
        Arrays.stream(arg.converters()).map(it -> it.getClass().getName()).toList().toString(),
        arg.completionCandidates() == null
            ? ""
            : StreamSupport.stream(arg.completionCandidates().spliterator(), false)
                .toList()
                .toString(),
        String.valueOf(arg.preprocessor().getClass()),
        String.valueOf(arg.<Object>getValue()));
  }
}
