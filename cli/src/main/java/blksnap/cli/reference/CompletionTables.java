package blksnap.cli.reference;

import blksnap.cli.command.Labels;
import blksnap.param.Parameter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * The part of a completion script that bash and zsh both understand: which commands, options and
 * kinds of values there are, as functions that set {@code reply} and {@code kind}; how to find
 * where on the line the user is; and how to ask the engine for its devices, snapshots and status
 * tree.
 */
final class CompletionTables {
  private static final String ENGINE =
      """
      # Whether there is an engine to ask, told without starting anything; the arguments are the line's
      # own directories.
      _blksnap_engine() {
          local run=${BLKSNAP_RUN_DIR:-}
          while [ $# -gt 0 ]; do
              case "$1" in
              --run-dir=*) run=${1#*=} ;;
              --run-dir) run=$2; shift ;;
              esac
              shift
          done
          if [ -z "$run" ]; then
              if [ "$EUID" = 0 ]; then
                  run=/run/blksnap
              else
                  run=${XDG_RUNTIME_DIR:-/run/user/$EUID}/blksnap
              fi
          fi
          [ -S "$run/ctrl.sock" ]
      }

      # Asks the engine; $1 is the program, $2 the kind, the rest the line's own directories. A snapshot
      # goes by its name; one without a name has its UUID there.
      _blksnap_live() {
          local program=$1 wanted=$2
          shift 2
          _blksnap_engine "$@" || return 0
          case "$wanted" in
          device) command "$program" "$@" devices -o plain 2>/dev/null | cut -f 1 ;;
          snapshot) command "$program" "$@" snapshot list -o plain 2>/dev/null | cut -f 2 ;;
          node) command "$program" "$@" status -o plain 2>/dev/null | cut -f 1 ;;
          esac
      }

      # Walks the words before the cursor: sets cmd (the command's words), operands (how many stand
      # behind it), where (options that say where the engine is) and, when the next word is the value
      # of an option, kind and reply; else kind is empty.
      _blksnap_walk() {
          local word option='' name found
          cmd='' operands=0 kind='' where=()
          for word in "$@"; do
              if [ -n "$option" ]; then
                  case "$option" in --run-dir|--state-dir) where+=("$option" "${word/#\\~/$HOME}") ;; esac
                  option='' kind=''
                  continue
              fi
              case "$word" in
              --run-dir=*|--state-dir=*) where+=("$word") ;;
              --*=*) ;;
              -*)
                  _blksnap_value "$cmd" "$word"
                  [ -z "$kind" ] || option=$word
                  ;;
              *)
                  found=''
                  _blksnap_commands "$cmd"
                  for name in "${reply[@]}"; do
                      [ "$name" != "$word" ] || found=1
                  done
                  if [ -n "$found" ]; then
                      cmd="${cmd:+$cmd }$word"
                  else
                      operands=$((operands + 1))
                  fi
                  ;;
              esac
          done
      }
      """;

  private final CommandSpec root;

  CompletionTables(CommandSpec root) {
    this.root = root;
  }

  String script() {
    var text = new StringBuilder();
    commands(text);
    options(text);
    values(text);
    operands(text);
    return text.append(ENGINE).toString();
  }

  private void commands(StringBuilder text) {
    text.append("_blksnap_commands() {\n    reply=()\n    case \"$1\" in\n");
    var below = new TreeMap<String, List<String>>();
    below.put("", Model.subcommands(root).stream().map(CompletionTables::name).toList());
    for (CommandLine line : Model.subcommands(root)) {
      CommandSpec spec = line.getCommandSpec();
      if (!spec.subcommands().isEmpty()) {
        below.put(
            spec.name(), Model.subcommands(spec).stream().map(CompletionTables::name).toList());
      }
    }
    below.forEach((command, names) ->
        text.append("    '" + command + "') reply=(" + String.join(" ", names) + ") ;;\n"));
    text.append("    esac\n}\n\n");
  }

  private static String name(CommandLine line) {
    return line.getCommandName();
  }

  private void options(StringBuilder text) {
    text.append("_blksnap_options() {\n    case \"$1\" in\n");
    leavesAndRoot()
        .forEach((command, spec) -> {
          List<String> names = names(Model.ownOptions(spec));
          if (!names.isEmpty()) {
            text.append("    '" + command + "') reply=(" + String.join(" ", names) + ") ;;\n");
          }
        });
    text.append("    *) reply=() ;;\n    esac\n    reply+=(");
    text.append(String.join(" ", names(Model.commonOptions(root)))).append(")\n}\n\n");
  }

  private static List<String> names(List<OptionSpec> options) {
    return options.stream().flatMap(option -> Arrays.stream(option.names())).sorted().toList();
  }

  private void values(StringBuilder text) {
    text.append("# The kind of an option's value; empty when it takes none.\n");
    text.append("_blksnap_value() {\n    kind='' reply=()\n    case \"$1 $2\" in\n");
    leavesAndRoot()
        .forEach((command, spec) -> cases(text, "'" + command + " ", "'", Model.ownOptions(spec)));
    cases(text, "*' ", "'", Model.commonOptions(root));
    text.append("    esac\n}\n\n");
  }

  private static void cases(
      StringBuilder text, String before, String behind, List<OptionSpec> options) {
    for (OptionSpec option : options) {
      if (Model.takesValue(option)) {
        var patterns = new ArrayList<String>();
        for (String name : option.names()) {
          patterns.add(before + name + behind);
        }
        text.append("    " + String.join("|", patterns) + ") " + kind(option) + " ;;\n");
      }
    }
  }

  private void operands(StringBuilder text) {
    text.append("# The kind of a command's operand; $2 counts from 0.\n");
    text.append("_blksnap_operand() {\n    kind='' reply=()\n    case \"$1 $2\" in\n");
    Model.leaves(root)
        .forEach((command, spec) -> {
          for (PositionalParamSpec position : Model.positionals(spec)) {
            String index =
                position.index().max() > position.index().min()
                    ? "'*"
                    : position.index().min() + "'";
            text.append("    '" + command + " " + index + ") " + kind(position) + " ;;\n");
          }
        });
    text.append("    esac\n}\n\n");
  }

  private Map<String, CommandSpec> leavesAndRoot() {
    Map<String, CommandSpec> all = Model.leaves(root);
    all.put("", root);
    return all;
  }

  /** The shell words that say what a value may be. */
  private static String kind(ArgSpec arg) {
    if (arg.completionCandidates() != null) {
      var candidates = new ArrayList<String>();
      arg.completionCandidates().forEach(candidates::add);
      if (!candidates.isEmpty()) {
        return "kind=words reply=(" + String.join(" ", candidates) + ")";
      }
    }
    return switch (arg.paramLabel()) {
      case Labels.DEVICE -> "kind=device";
      case Labels.SNAPSHOT -> "kind=snapshot";
      case Labels.NODE -> "kind=node";
      case Labels.PATH, Labels.FILE -> "kind=file";
      case Labels.DIRECTORY -> "kind=directory";
      case Labels.PARAMETER -> "kind=words reply=(" + parameters("") + ")";
      case Labels.ASSIGNMENT -> "kind=assignments reply=(" + parameters("=") + ")";
      default -> "kind=other";
    };
  }

  private static String parameters(String end) {
    return String.join(
        " ", Arrays.stream(Parameter.values()).map(parameter -> parameter.key() + end).toList());
  }
}
