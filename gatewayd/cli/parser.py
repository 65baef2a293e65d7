"""The command line: options and arguments of all commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from gatewayd import __version__
from gatewayd.cli.catalogue import COMMANDS, command_module


class CommandParser(argparse.ArgumentParser):
    """The parser of one command; gets its arguments from the command's module when needed."""

    command: str | None = None

    def fill(self) -> None:
        """Get the arguments."""
        if self.command is not None:
            command_module(self.command).add_arguments(self)
            self.command = None

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        self.fill()
        return super().parse_known_args(args, namespace)


def build_parser(*, complete: bool = False) -> argparse.ArgumentParser:
    """The parser of the command line; `complete` with the arguments of all commands."""
    parser = argparse.ArgumentParser(
        prog="gatewayd", description="Serial devices as Telnet (RFC 2217) and raw TCP ports."
    )
    parser.add_argument("--version", action="version", version=f"gatewayd {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=CommandParser
    )
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.command = name
        sub.add_argument(
            "-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help="log more"
        )
        if complete:
            sub.fill()
    return parser
