"""What the help of a command offers."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

from gatewayd.cli.parser import build_parser


def offered(*command: str) -> tuple[list[str], list[str]]:
    """The options and the arguments that the help of a command, or of all, tells of."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
        build_parser().parse_args([*command, "--help"])
    options: list[str] = []
    arguments: list[str] = []
    for entry in re.findall(r"^  (\S.*?)(?:  .*)?$", said.getvalue(), re.MULTILINE):
        words = re.split(r"[ ,]+", entry)
        if words[0].startswith("-"):
            options += [word for word in words if word.startswith("-")]
        elif not words[0].startswith("{"):
            arguments.append(words[0])
    return [one for one in options if one not in ("-h", "--help")], arguments
