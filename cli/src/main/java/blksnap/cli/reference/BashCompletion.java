package blksnap.cli.reference;

import picocli.CommandLine.Model.CommandSpec;

/** The completion script for bash; needs nothing but bash. */
final class BashCompletion {
  private static final String HEAD =
      """
      # bash completion for blksnap: source it, or put it where bash-completion looks.
      # Written by 'blksnap completion bash'.

      """;

  private static final String FRONT =
      """

      _blksnap_complete() {
          local line=${COMP_LINE:0:COMP_POINT} cur='' cmd operands kind value candidate prefix=''
          local -a words reply where

          # Split at blanks: bash itself also splits at "=" and ":".
          read -r -a words <<< "$line"
          case "$line" in
          *[[:space:]]) ;;
          *) cur=${words[-1]} words=("${words[@]:0:${#words[@]}-1}") ;;
          esac

          COMPREPLY=()
          _blksnap_walk "${words[@]:1}"
          value=$cur
          if [ -n "$kind" ]; then
              :
          elif [[ $cur == --*=* ]]; then
              _blksnap_value "$cmd" "${cur%%=*}"
              prefix=${cur%%=*}= value=${cur#*=}
          elif [[ $cur == -* ]]; then
              kind=words
              _blksnap_options "$cmd"
          else
              _blksnap_commands "$cmd"
              if [ "${#reply[@]}" -gt 0 ]; then
                  kind=words
              else
                  _blksnap_operand "$cmd" "$operands"
              fi
          fi

          case "$kind" in
          device|snapshot)
              mapfile -t reply < <(_blksnap_live "${COMP_WORDS[0]}" "$kind" "${where[@]}")
              ;;
          node)
              mapfile -t reply < <(_blksnap_live "${COMP_WORDS[0]}" "$kind" "${where[@]}" |
                  while read -r candidate; do
                      [[ $candidate == "$value"* ]] || continue
                      candidate=${candidate#"$value"}
                      [[ $candidate == */* ]] && candidate=${candidate%%/*}/
                      printf '%s\\n' "$value$candidate"
                  done | sort -u)
              compopt -o nospace 2>/dev/null
              ;;
          file) mapfile -t reply < <(compgen -f -- "$value"); compopt -o filenames 2>/dev/null ;;
          directory) mapfile -t reply < <(compgen -d -- "$value"); compopt -o filenames 2>/dev/null ;;
          assignments) compopt -o nospace 2>/dev/null ;;
          esac

          # What bash replaces begins behind the last "=" or ":" that it splits at.
          [[ $COMP_WORDBREAKS == *=* ]] && prefix=''
          for candidate in "${reply[@]}"; do
              if [[ $candidate == "$value"* ]]; then
                  COMPREPLY+=("$prefix$candidate")
              fi
          done
      }

      complete -F _blksnap_complete blksnap
      """;

  private final CommandSpec root;

  BashCompletion(CommandSpec root) {
    this.root = root;
  }

  String script() {
    return HEAD + new CompletionTables(root).script() + FRONT;
  }
}
