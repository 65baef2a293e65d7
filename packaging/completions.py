"""Writes the completion files of bash and zsh from gatewayd's own command line.

`packaging/completions.py DIRECTORY` makes `gatewayd` (bash) and `_gatewayd` (zsh) there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gatewayd.cli.parser import build_parser

FILES = ("FILE", "PATH")
"""What stands in help for a name that the shell completes from the disk."""

BASH = """\
# bash completion for gatewayd(8), made from its command line
_gatewayd() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local word command='' words='' files=
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
            {commands}) command=$word; break ;;
        esac
    done
    case $command:$previous in
{values}
        *) case $command in
{words}
        esac ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    if [ -n "$files" ] && [ "${{current:0:1}}" != - ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}}
complete -F _gatewayd gatewayd
"""

ZSH = """\
#compdef gatewayd
# zsh completion for gatewayd(8), made from its command line
_gatewayd() {{
    local context state state_descr line
    typeset -A opt_args
    _arguments -C {top} \\
        '1:command:(({commands}))' '*::argument:->arguments'
    [[ $state == arguments ]] || return
    case $line[1] in
{cases}
    esac
}}
_gatewayd "$@"
"""


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parser of each command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise LookupError("the command line has no commands")


def helps(parser: argparse.ArgumentParser) -> dict[str, str]:
    """What each command does."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {choice.dest: choice.help or "" for choice in action._choices_actions}
    raise LookupError("the command line has no commands")


def options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options that help shows, each once."""
    for action in parser._actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            yield action


def arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments that are no options, without the command itself."""
    for action in parser._actions:
        if not action.option_strings and not isinstance(action, argparse._SubParsersAction):
            yield action


def takes_value(action: argparse.Action) -> bool:
    """Whether a word must follow an option."""
    return action.nargs != 0


def bash(parser: argparse.ArgumentParser) -> str:
    """The completion file of bash."""
    known = commands(parser)
    values, words = [], [f"            '') words='{_words(parser, *known)}' ;;"]
    for name, command in known.items():
        for option in filter(takes_value, options(command)):
            pattern = "|".join(f"{name}:{string}" for string in option.option_strings)
            says = "files=yes" if option.metavar in FILES else f"words='{_choices(option)}'"
            values.append(f"        {pattern}) {says} ;;")
        files = any(argument.metavar in FILES for argument in arguments(command))
        choices = (_choices(argument) for argument in arguments(command) if argument.choices)
        says = f"words='{_words(command, *choices)}'" + (" files=yes" if files else "")
        words.append(f"            {name}) {says} ;;")
    return BASH.format(commands="|".join(known), values="\n".join(values), words="\n".join(words))


def zsh(parser: argparse.ArgumentParser) -> str:
    """The completion file of zsh."""
    known = commands(parser)
    cases = []
    for name, command in known.items():
        specs = [_zsh_option(option) for option in options(command)]
        for argument in arguments(command):
            many = "*" if argument.nargs in ("*", "+") else "1"
            choices = f"({_choices(argument)})" if argument.choices else " "
            action = "_files" if argument.metavar in FILES else choices
            specs.append(_quoted(f"{many}:{argument.metavar}:{action}"))
        cases.append(f"        {name}) _arguments {' '.join(specs)} ;;")
    described = " ".join(
        f'{name}\\:"{_plain(text).replace(":", "")}"' for name, text in helps(parser).items()
    )
    top = " ".join(_zsh_option(option) for option in options(parser))
    return ZSH.format(top=top, commands=described, cases="\n".join(cases))


def _words(parser: argparse.ArgumentParser, *more: str) -> str:
    return " ".join(
        [*(string for action in options(parser) for string in action.option_strings), *more]
    )


def _choices(option: argparse.Action) -> str:
    return " ".join(map(str, option.choices or ()))


def _zsh_option(option: argparse.Action) -> str:
    """An option in the language of zsh's _arguments: names, `[help]`, `:value:action`."""
    what = f"[{_plain((option.help or '') % vars(option))}]"
    if takes_value(option):
        value = option.metavar or option.dest
        action = "_files" if value in FILES else f"({_choices(option)})" if option.choices else " "
        what += f":{value}:{action}"
    strings = option.option_strings
    if len(strings) == 1:
        return strings[0] + _quoted(what)
    return f"'({' '.join(strings)})'{{{','.join(strings)}}}{_quoted(what)}"


def _plain(text: str) -> str:
    """Help without what means something to _arguments."""
    return text.translate(str.maketrans("[]", "()", "'\"\\"))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def main(directory: str) -> None:
    """Write both files into `directory`."""
    parser = build_parser(complete=True)
    Path(directory, "gatewayd").write_text(bash(parser))
    Path(directory, "_gatewayd").write_text(zsh(parser))


if __name__ == "__main__":
    main(sys.argv[1])
