package blksnap.cli.reference;

import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/**
 * The completion script for zsh: a function for its completion system, with a sentence beside each
 * command.
 */
final class ZshCompletion {
  private static final String HEAD =
      """
      #compdef blksnap
      # zsh completion for blksnap: put it as _blksnap into a directory of fpath.
      # Written by 'blksnap completion zsh'.

      """;

  private static final String FRONT =
      """

      _blksnap() {
          local cur=${words[CURRENT]} cmd kind candidate value about
          local -i operands
          local -a reply where shown

          _blksnap_walk "${(@)words[2,CURRENT-1]}"
          if [[ -n $kind ]]; then
              :
          elif [[ $cur == --*=* ]]; then
              _blksnap_value "$cmd" "${cur%%=*}"
              compset -P '*='
          elif [[ $cur == -* ]]; then
              kind=words
              _blksnap_options "$cmd"
          else
              _blksnap_commands "$cmd"
              if (( ${#reply} )); then
                  kind=commands
              else
                  _blksnap_operand "$cmd" "$operands"
              fi
          fi

          case "$kind" in
          commands)
              for candidate in "${reply[@]}"; do
                  _blksnap_about "${cmd:+$cmd }$candidate"
                  shown+=("$candidate:$about")
              done
              _describe -t commands 'command' shown
              ;;
          words) compadd -- "${reply[@]}" ;;
          assignments) compadd -S '' -- "${reply[@]}" ;;
          device|snapshot)
              reply=("${(@f)$(_blksnap_live "${words[1]}" "$kind" "${where[@]}")}")
              compadd -- "${(@)reply:#}"
              ;;
          node)
              for candidate in "${(@f)$(_blksnap_live "${words[1]}" "$kind" "${where[@]}")}"; do
                  [[ $candidate == "$cur"* ]] || continue
                  value=${candidate#"$cur"}
                  [[ $value == */* ]] && value=${value%%/*}/
                  shown+=("$cur$value")
              done
              compadd -U -S '' -- "${(@u)shown}"
              ;;
          file) _files ;;
          directory) _files -/ ;;
          esac
      }

      if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
          _blksnap "$@"
      else
          compdef _blksnap blksnap
      fi
      """;

  private final CommandSpec root;

  ZshCompletion(CommandSpec root) {
    this.root = root;
  }

  String script() {
    return HEAD + new CompletionTables(root).script() + "\n" + about() + FRONT;
  }

  private String about() {
    var text = new StringBuilder("_blksnap_about() {\n    case \"$1\" in\n");
    for (CommandLine line : Model.subcommands(root)) {
      CommandSpec spec = line.getCommandSpec();
      text.append(about(spec.name(), spec));
      for (CommandLine below : Model.subcommands(spec)) {
        CommandSpec leaf = below.getCommandSpec();
        text.append(about(spec.name() + " " + leaf.name(), leaf));
      }
    }
    return text.append("    *) about='' ;;\n    esac\n}\n").toString();
  }

  private static String about(String command, CommandSpec spec) {
    String summary = Model.summary(spec).replace("'", "'\\''");
    return "    '" + command + "') about='" + summary + "' ;;\n";
  }
}
