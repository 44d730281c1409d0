package blksnap.cli.reference;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * The manual: one page for the program, one for each group of commands and one for each command
 * that stands alone. Only macros of the {@code man} package are used.
 */
public final class ManPages {
  private static final String COMMANDS_VOLUME = "User Commands";
  private static final String OTHER_VOLUME = "Miscellaneous Information Manual";

  /**
   * What is written by hand, as Markdown.
   *
   * @param ctrl the control protocol
   * @param sysfs the status tree
   * @param upstream what is different from the kernel module's tools
   * @param shell more sections of the page about the shell
   */
  public record Documents(String ctrl, String sysfs, String upstream, String shell) {}

  /** Neither hyphenated nor spread over the line. */
  private static final String SYNOPSIS = ".SH SYNOPSIS\n.nh\n.ad l\n";

  private static final String DESCRIPTION = ".ad\n.hy\n.SH DESCRIPTION\n";

  private static final String END =
      """
      .SH EXIT STATUS
      .TP
      .B 0
      done
      .TP
      .B 1
      refused or failed; standard error says why, with the name of the error number
      .TP
      .B 2
      wrong usage; nothing was tried
      """;

  private static final String ENVIRONMENT =
      """
      .SH ENVIRONMENT
      .TP
      .BR BLKSNAP_RUN_DIR ", " BLKSNAP_STATE_DIR
      Directories of the engine, where no option names them. Without them root has
      .I /run/blksnap
      and
      .IR /var/lib/blksnap ,
      others have
      .I blksnap
      below
      .B XDG_RUNTIME_DIR
      and
      .BR XDG_STATE_HOME .
      .TP
      .B NO_COLOR
      When set, no colour is used unless
      .B \\-\\-color
      says so.
      .SH FILES
      .TP
      .IR run-dir /ctrl.sock
      the control socket
      .TP
      .IR run-dir /nbd.sock
      the NBD socket that devices and images are served on
      .TP
      .IR run-dir /pid
      the number of the engine's process
      .TP
      .IR run-dir /daemon.log
      what the engine's process wrote to standard error
      """;

  private final CommandSpec root;
  private final Documents documents;

  public ManPages(CommandSpec root, Documents documents) {
    this.root = root;
    this.documents = documents;
  }

  /** The pages' texts by the names of their files. */
  public Map<String, String> pages() {
    var pages = new LinkedHashMap<String, String>();
    pages.put("blksnap.1", program());
    for (CommandLine line : Model.subcommands(root)) {
      CommandSpec spec = line.getCommandSpec();
      pages.put(
          "blksnap-" + spec.name() + ".1",
          spec.subcommands().isEmpty() ? command(spec) : group(spec));
    }
    pages.put(
        "blksnap-ctrl.7",
        document("blksnap-ctrl", "control protocol of blksnap, byte by byte", documents.ctrl()));
    pages.put(
        "blksnap-sysfs.7", document("blksnap-sysfs", "status tree of blksnap", documents.sysfs()));
    pages.put("blksnap-upstream.7", upstream());
    return pages;
  }

  private static String document(String name, String about, String text) {
    return Roff.head(name, 7, OTHER_VOLUME, about)
        + Markdown.body(text)
        + seeAlso(List.of("blksnap"), List.of());
  }

  private String upstream() {
    String about = "commands of the kernel module's tools";
    var text = new StringBuilder(Roff.head("blksnap-upstream", 7, OTHER_VOLUME, about));
    text.append(Markdown.body(documents.upstream())).append(".SH COMMANDS\n");
    for (CommandLine line : Model.hidden(root)) {
      CommandSpec spec = line.getCommandSpec();
      text.append(".SS " + Roff.escape(spec.name()) + "\n").append(paragraphs(spec));
      options(text, "", Model.ownOptions(spec));
      examples(text, ".PP\n", spec);
    }
    return text.append(seeAlso(List.of("blksnap"), List.of())).toString();
  }

  private String program() {
    var text = new StringBuilder(head("blksnap", root));
    text.append(SYNOPSIS + ".B blksnap\n[\\fICOMMON OPTIONS\\fR] [\\fICOMMAND\\fR]\n");
    description(text, root);
    text.append(".SH COMMANDS\n");
    for (CommandLine line : Model.subcommands(root)) {
      CommandSpec spec = line.getCommandSpec();
      text.append(".TP\n.BR blksnap\\-" + escape(spec.name()) + " (1)\n");
      text.append(roff(Model.summary(spec)));
    }
    options(text, ".SH OPTIONS\n", Model.ownOptions(root));
    options(text, ".SH COMMON OPTIONS\n", Model.commonOptions(root));
    text.append(END).append(ENVIRONMENT);
    examples(text, ".SH EXAMPLES\n", root);
    var others = new ArrayList<String>();
    for (CommandLine line : Model.subcommands(root)) {
      others.add("blksnap-" + line.getCommandName());
    }
    var documented = List.of("blksnap-ctrl", "blksnap-sysfs", "blksnap-upstream");
    return text.append(seeAlso(others, documented)).toString();
  }

  private String command(CommandSpec spec) {
    var text = new StringBuilder(head("blksnap-" + spec.name(), spec));
    text.append(SYNOPSIS).append(synopsis(spec));
    description(text, spec);
    operands(text, ".SH OPERANDS\n", spec);
    options(text, ".SH OPTIONS\n", Model.ownOptions(spec));
    common(text);
    if (spec.name().equals("shell")) {
      text.append(Markdown.body(documents.shell()));
    }
    text.append(END);
    examples(text, ".SH EXAMPLES\n", spec);
    return text.append(seeAlso(List.of("blksnap"), List.of())).toString();
  }

  private String group(CommandSpec spec) {
    var text = new StringBuilder(head("blksnap-" + spec.name(), spec));
    text.append(SYNOPSIS);
    for (CommandLine line : Model.subcommands(spec)) {
      text.append(text.toString().endsWith(SYNOPSIS) ? "" : ".br\n");
      text.append(synopsis(line.getCommandSpec()));
    }
    text.append(DESCRIPTION).append(roff(Model.summary(spec)));
    for (CommandLine line : Model.subcommands(spec)) {
      CommandSpec below = line.getCommandSpec();
      text.append(".SS " + escape(spec.name() + " " + below.name()) + "\n");
      text.append(paragraphs(below));
      operands(text, "", below);
      options(text, "", Model.ownOptions(below));
      examples(text, ".PP\n", below);
    }
    common(text);
    return text.append(END).append(seeAlso(List.of("blksnap"), List.of())).toString();
  }

  private static String head(String name, CommandSpec spec) {
    String summary = Model.summary(spec);
    String noStop = summary.endsWith(".") ? summary.substring(0, summary.length() - 1) : summary;
    int stop = noStop.indexOf(". ");
    String sentence = stop < 0 ? noStop : noStop.substring(0, stop);
    return Roff.head(name, 1, COMMANDS_VOLUME, sentence);
  }

  private static String synopsis(CommandSpec spec) {
    var text = new StringBuilder(".B " + escape(spec.qualifiedName()) + "\n");
    for (String word : Synopsis.words(spec)) {
      text.append(roff(word));
    }
    return text.toString();
  }

  private static void description(StringBuilder text, CommandSpec spec) {
    text.append(DESCRIPTION).append(paragraphs(spec));
  }

  private static String paragraphs(CommandSpec spec) {
    var text = new StringBuilder();
    for (String line : spec.usageMessage().description()) {
      text.append(text.isEmpty() ? "" : ".PP\n").append(roff(line));
    }
    return text.toString();
  }

  private static void operands(StringBuilder text, String heading, CommandSpec spec) {
    List<PositionalParamSpec> operands = Model.positionals(spec);
    if (!operands.isEmpty()) {
      text.append(heading);
    }
    for (PositionalParamSpec operand : operands) {
      text.append(".TP\n.I " + escape(operand.paramLabel()) + "\n");
      text.append(roff(String.join(" ", operand.description())));
    }
  }

  private static void options(StringBuilder text, String heading, List<OptionSpec> options) {
    if (!options.isEmpty()) {
      text.append(heading);
    }
    for (OptionSpec option : options) {
      var names = new ArrayList<String>();
      for (String name : option.names()) {
        String value =
            Model.takesValue(option) ? " \\fI" + escape(option.paramLabel()) + "\\fR" : "";
        names.add("\\fB" + escape(name) + "\\fR" + value);
      }
      text.append(".TP\n" + String.join(", ", names) + "\n");
      text.append(roff(String.join(" ", option.description())));
    }
  }

  private static void common(StringBuilder text) {
    text.append(".SH COMMON OPTIONS\nThose of\n.BR blksnap (1)\nare taken as well.\n");
  }

  /** What stands behind "Examples:" in the footer, as it is. */
  private static void examples(StringBuilder text, String heading, CommandSpec spec) {
    List<String> footer = List.of(spec.usageMessage().footer());
    int start = footer.indexOf("Examples:");
    if (start < 0) {
      return;
    }
    text.append(heading).append(".nf\n");
    for (String line : footer.subList(start + 1, footer.size())) {
      text.append(Roff.verbatim(line.strip().replace("$$", "$")));
    }
    text.append(".fi\n");
  }

  private static String seeAlso(List<String> commands, List<String> others) {
    var names = new ArrayList<String>();
    commands.forEach(name -> names.add(Roff.escape(name) + " (1)"));
    others.forEach(name -> names.add(Roff.escape(name) + " (7)"));
    return ".SH SEE ALSO\n.BR " + String.join(",\n.BR ", names) + "\n";
  }

  /** Plain text, filled. */
  private static String roff(String text) {
    return Roff.filled(escape(text));
  }

  private static String escape(String text) {
    return Roff.escape(text);
  }
}
