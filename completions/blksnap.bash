# bash completion for blksnap: source it, or put it where bash-completion looks.
# Written by 'blksnap completion bash'.

_blksnap_commands() {
    reply=()
    case "$1" in
    '') reply=(load unload modinfo version dmesg param attach detach resize devices cbt snapshot backup backups verify restore prune status top cat shell demo completion help) ;;
    'backups') reply=(list open) ;;
    'cbt') reply=(info map show mark) ;;
    'param') reply=(list get set) ;;
    'snapshot') reply=(create add append-storage take list info images wait watch destroy) ;;
    esac
}

_blksnap_options() {
    case "$1" in
    '') reply=(--version -V) ;;
    'attach') reply=(--cache --name --read-only) ;;
    'backup') reply=(--best-effort --compress --compression --format --freeze --freeze-timeout --full --jobs --json --limit-rate --post --pre --storage --storage-limit --to) ;;
    'backups open') reply=(--socket) ;;
    'cbt map') reply=(--raw --since --until) ;;
    'cbt show') reply=(--since --svg) ;;
    'demo') reply=(--disk --keep --size) ;;
    'dmesg') reply=(--decode --follow --level -l -w -x) ;;
    'load') reply=(--config --foreground --listen --tcp --tls --tls-allow --tls-certificates) ;;
    'prune') reply=(--device --dry-run --jobs --keep-daily --keep-last --keep-monthly --keep-weekly --limit-rate) ;;
    'resize') reply=(--force --reconnect -f) ;;
    'restore') reply=(--force --in-place --jobs --limit-rate --to) ;;
    'shell') reply=(--keep-going) ;;
    'snapshot append-storage') reply=(--range) ;;
    'snapshot create') reply=(--best-effort --durability --freeze --freeze-timeout --limit --limit-iops --limit-rate --name --on-full --post --pre --storage --take) ;;
    'snapshot take') reply=(--best-effort --freeze --freeze-timeout --post --pre) ;;
    'snapshot wait') reply=(--timeout) ;;
    'status') reply=(--count --json --watch -n) ;;
    'top') reply=(--count --interval --sort -i -n) ;;
    'unload') reply=(--force -f) ;;
    'verify') reply=(--against --jobs --limit-rate) ;;
    *) reply=() ;;
    esac
    reply+=(--color --debug --embedded --help --output --run-dir --state-dir -h -o)
}

# The kind of an option's value; empty when it takes none.
_blksnap_value() {
    kind='' reply=()
    case "$1 $2" in
    'attach --name') kind=other ;;
    'attach --cache') kind=words reply=(writeback direct) ;;
    'backup --to') kind=directory ;;
    'backup --compression') kind=words reply=(none deflate zstd) ;;
    'backup --format') kind=words reply=(qcow2 raw) ;;
    'backup --storage') kind=file ;;
    'backup --storage-limit') kind=other ;;
    'backup --jobs') kind=other ;;
    'backup --limit-rate') kind=other ;;
    'backup --freeze') kind=directory ;;
    'backup --pre') kind=other ;;
    'backup --post') kind=other ;;
    'backup --freeze-timeout') kind=other ;;
    'backups open --socket') kind=file ;;
    'cbt map --since') kind=snapshot ;;
    'cbt map --until') kind=snapshot ;;
    'cbt map --raw') kind=file ;;
    'cbt show --since') kind=snapshot ;;
    'cbt show --svg') kind=file ;;
    'demo --disk') kind=file ;;
    'demo --size') kind=other ;;
    'dmesg -l'|'dmesg --level') kind=words reply=(error warning info debug) ;;
    'load --config') kind=file ;;
    'load --tcp') kind=other ;;
    'load --listen') kind=other ;;
    'load --tls') kind=words reply=(off on required) ;;
    'load --tls-certificates') kind=directory ;;
    'load --tls-allow') kind=other ;;
    'prune --device') kind=device ;;
    'prune --keep-last') kind=other ;;
    'prune --keep-daily') kind=other ;;
    'prune --keep-weekly') kind=other ;;
    'prune --keep-monthly') kind=other ;;
    'prune --jobs') kind=other ;;
    'prune --limit-rate') kind=other ;;
    'restore --to') kind=other ;;
    'restore --jobs') kind=other ;;
    'restore --limit-rate') kind=other ;;
    'snapshot append-storage --range') kind=other ;;
    'snapshot create --storage') kind=file ;;
    'snapshot create --limit') kind=other ;;
    'snapshot create --name') kind=other ;;
    'snapshot create --durability') kind=words reply=(none process power) ;;
    'snapshot create --on-full') kind=words reply=(break wait) ;;
    'snapshot create --limit-iops') kind=other ;;
    'snapshot create --limit-rate') kind=other ;;
    'snapshot create --freeze') kind=directory ;;
    'snapshot create --pre') kind=other ;;
    'snapshot create --post') kind=other ;;
    'snapshot create --freeze-timeout') kind=other ;;
    'snapshot take --freeze') kind=directory ;;
    'snapshot take --pre') kind=other ;;
    'snapshot take --post') kind=other ;;
    'snapshot take --freeze-timeout') kind=other ;;
    'snapshot wait --timeout') kind=other ;;
    'status -n'|'status --count') kind=other ;;
    'status --watch') kind=other ;;
    'top -n'|'top --count') kind=other ;;
    'top -i'|'top --interval') kind=other ;;
    'top --sort') kind=words reply=(name iops read write latency copied left) ;;
    'verify --against') kind=other ;;
    'verify --jobs') kind=other ;;
    'verify --limit-rate') kind=other ;;
    *' --run-dir') kind=directory ;;
    *' --state-dir') kind=directory ;;
    *' -o'|*' --output') kind=words reply=(table json plain) ;;
    *' --color') kind=words reply=(auto always never) ;;
    esac
}

# The kind of a command's operand; $2 counts from 0.
_blksnap_operand() {
    kind='' reply=()
    case "$1 $2" in
    'attach 0') kind=file ;;
    'backup '*) kind=device ;;
    'backups list 0') kind=directory ;;
    'backups open 0') kind=other ;;
    'cat 0') kind=node ;;
    'cbt info 0') kind=device ;;
    'cbt map 0') kind=device ;;
    'cbt mark 0') kind=device ;;
    'cbt mark '*) kind=other ;;
    'cbt show 0') kind=device ;;
    'completion 0') kind=words reply=(bash zsh) ;;
    'detach 0') kind=device ;;
    'help '*) kind=other ;;
    'load '*) kind=assignments reply=(tracking_block_minimum_shift= tracking_block_maximum_count= chunk_minimum_shift= chunk_maximum_count= chunk_maximum_in_cache= free_diff_buffer_pool_size= diff_storage_minimum= write_intent_region_shift=) ;;
    'param get 0') kind=words reply=(tracking_block_minimum_shift tracking_block_maximum_count chunk_minimum_shift chunk_maximum_count chunk_maximum_in_cache free_diff_buffer_pool_size diff_storage_minimum write_intent_region_shift) ;;
    'param set 0') kind=words reply=(tracking_block_minimum_shift tracking_block_maximum_count chunk_minimum_shift chunk_maximum_count chunk_maximum_in_cache free_diff_buffer_pool_size diff_storage_minimum write_intent_region_shift) ;;
    'param set 1') kind=other ;;
    'prune 0') kind=directory ;;
    'resize 0') kind=device ;;
    'resize 1') kind=other ;;
    'restore 0') kind=other ;;
    'snapshot add 0') kind=snapshot ;;
    'snapshot add 1') kind=device ;;
    'snapshot append-storage 0') kind=snapshot ;;
    'snapshot append-storage 1') kind=file ;;
    'snapshot create '*) kind=device ;;
    'snapshot destroy 0') kind=snapshot ;;
    'snapshot images 0') kind=snapshot ;;
    'snapshot info 0') kind=snapshot ;;
    'snapshot take 0') kind=snapshot ;;
    'snapshot wait 0') kind=snapshot ;;
    'snapshot watch 0') kind=snapshot ;;
    'status 0') kind=node ;;
    'verify 0') kind=directory ;;
    esac
}

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
            case "$option" in --run-dir|--state-dir) where+=("$option" "${word/#\~/$HOME}") ;; esac
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
                printf '%s\n' "$value$candidate"
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
