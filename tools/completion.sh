# Tab completion of `trackstack`, and of `make` with the targets of the Makefile that is here and
# the names of stacks. `. ./env` reads it in bash and zsh; no program starts before a Tab is pressed.

if [ -n "${ZSH_VERSION:-}" ]; then
    autoload -Uz compinit bashcompinit
    whence compdef >/dev/null || compinit -i -D
    bashcompinit
fi

# By click, which knows the commands: it prints lines of "kind,word".
_trackstack_words() {
    COMPREPLY=($(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
        _TRACKSTACK_COMPLETE=bash_complete "$1" 2>/dev/null | sed -n 's/^plain,//p'))
}

_trackstack_targets() {
    awk -F: '/^[A-Za-z][A-Za-z0-9_-]*:($|[^=])/ { print $1 }' Makefile 2>/dev/null
}

_trackstack_stacks() {
    ls stacks stacks/examples "${TRACKSTACK_STACKS:-stacks}" 2>/dev/null |
        sed -n 's/^Pulumi\.\(.*\)\.yaml$/\1/p' | sort -u
}

_trackstack_make() {
    local given="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
    local variable="" kept="" found=""
    # bash makes three words of STACK=dev, of which it completes the last; zsh one.
    if [ "$given" = "=" ]; then
        variable="$before" given=""
    elif [ "$before" = "=" ]; then
        variable="${COMP_WORDS[COMP_CWORD-2]}"
    elif [ "${given#*=}" != "$given" ]; then
        variable="${given%%=*}" kept="${given%%=*}=" given="${given#*=}"
    fi
    case "$variable" in
        "") found="$(_trackstack_targets)" ;;
        STACK | FROM | TO) found="$(_trackstack_stacks)" ;;
    esac
    COMPREPLY=($(compgen -P "$kept" -W "$found" -- "$given"))
}

complete -o default -F _trackstack_words trackstack
complete -o default -F _trackstack_make make
