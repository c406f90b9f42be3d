"""Shell completions, made from what the programs say about themselves: tools/check-man writes and checks them.

`commands` is {command as a tuple of words: its options}, the program itself included, in all of what follows.
"""
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "contrib/completions"
NOTE = "made by `tools/check-man BIN --completions`, and checked by the tests."


def _below(commands, words):
    return [other[-1] for other in commands if other[:-1] == words]


def _walk(commands, indent):
    """The arms of a `case` that follows the words of a command line from command to command."""
    lines = [f"{indent}*:-*) ;;"]
    for words in commands:
        if len(words) > 1:
            above, name = " ".join(words[1:-1]), " ".join(words[1:])
            lines.append(f"{indent}'{above}:{words[-1]}') command='{name}' ;;")
    return lines


def bash(commands):
    lines = [f"# Completion of cipherway for bash: {NOTE}", "", "_cipherway() {",
             '  local current=${COMP_WORDS[COMP_CWORD]} command="" word', "  COMPREPLY=()",
             '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do', '    case "$command:$word" in',
             *_walk(commands, "      "), "    esac", "  done", '  case "$command" in']
    for words, options in commands.items():
        choices = " ".join([*_below(commands, words), *sorted(options), "--help"])
        lines.append(f"    '{' '.join(words[1:])}') mapfile -t COMPREPLY < <(compgen -W '{choices}' -- \"$current\") ;;")
    lines += ["  esac", "}", "complete -o default -F _cipherway cipherway"]
    return "\n".join(lines) + "\n"


def zsh(commands):
    lines = ["#compdef cipherway", f"# Completion of cipherway for zsh: {NOTE}", "", 'local command="" word',
             "for word in ${words[2,CURRENT-1]}; do", '  case "$command:$word" in', *_walk(commands, "    "), "  esac",
             "done", 'case "$command" in']
    for words, options in commands.items():
        choices = " ".join([*_below(commands, words), *sorted(options), "--help"])
        lines.append(f"  '{' '.join(words[1:])}') compadd -- {choices} ;;")
    lines += ["esac", "[[ ${words[CURRENT]} == -* ]] || _files"]
    return "\n".join(lines) + "\n"


def fish(commands):
    lines = [f"# Completion of cipherway for fish: {NOTE}"]
    for words, options in commands.items():
        below = _below(commands, words)
        where = "; and ".join([f"__fish_seen_subcommand_from {word}" for word in words[1:]] +
                              ([f"not __fish_seen_subcommand_from {' '.join(below)}"] if below else []))
        if below:
            lines.append(f"complete -c cipherway -f -n '{where}' -a '{' '.join(below)}'")
        lines += [f"complete -c cipherway -n '{where}' -l {option[2:]}" for option in [*sorted(options), "--help"]]
    return "\n".join(lines) + "\n"


_FILES = {"cipherway.bash": bash, "_cipherway": zsh, "cipherway.fish": fish}


def write(commands):
    for name, make in _FILES.items():
        (FOLDER / name).write_text(make(commands))


def outdated(commands):
    return [FOLDER / name for name, make in _FILES.items()
            if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != make(commands)]
