"""`gatewayd COMMAND`: finds the command's module, and tells errors without a traceback.

Only the module of the command that was given is imported: help and completion must be quick on a
small board.
"""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol, cast

from gatewayd import __version__
from gatewayd.errors import GatewayError

COMMANDS = {
    "run": "serve the ports of a configuration",
    "check": "judge a configuration without starting anything",
    "serve": "serve one device without a configuration",
    "demo": "serve a simulated instrument, to try without hardware",
    "status": "show ports, devices and sessions of the running daemon",
    "log": "print what was recorded of a port, and what comes",
    "metrics": "print what the running daemon has counted, as Prometheus reads it",
    "watch": "look on at what passes over the line of a port, without disturbing anybody",
    "reload": "put the configuration file in force in the running daemon",
    "attach": "go to a port, or choose one, in this terminal",
    "who": "show who holds each port, who watches, and for whom it is kept",
    "ls": "list the gateways and ports on the network",
    "kick": "end the session that holds a port, or those that watch it",
    "lease": "keep a port for somebody for a time",
    "free": "end the lease of a port",
    "web": "serve the page that shows the ports of the running daemon to browsers",
    "web-token": "print the address that lets a browser type on the page",
    "user": "add, list or remove those who may log in",
    "devices": "list the serial devices of this machine, "
    "with an entry for the configuration for each",
    "name": "name an adapter by pulling it and plugging it in",
    "cert": "make a certificate for the gateway, or for clients",
    "import": "turn a ser2net.yaml or ser2net.conf into a configuration, "
    "printed on standard output",
    "export": "print the ports as PyVISA, labgrid, Avahi, Prometheus or ser2net read them",
    "doctor": "look for what keeps ports from working, and print the commands that mend it",
}
"""What can be done, with the `HELP` of its module in `gatewayd.cli`."""


class CommandModule(Protocol):
    """The module of a command."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what arguments the command takes."""

    def main(self, args: argparse.Namespace) -> int:
        """Do it, and return the exit status. Raises GatewayError."""


def command_module(name: str) -> CommandModule:
    """The module of the command `name`, imported now if it was not yet."""
    name = f"{name}_" if keyword.iskeyword(name) else name.replace("-", "_")
    return cast(CommandModule, importlib.import_module(f"gatewayd.cli.{name}"))


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


def have_standard_streams() -> None:
    """Have something behind descriptors 0 to 2, where whoever started us closed them: the next
    files would get these numbers, and errors written there would go to a device or a client."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", closefd=False))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns 0 when done, 1 when refused or failed, 2 on wrong usage."""
    have_standard_streams()
    # asyncio imports ssl if it can: 2 MB of memory that nothing here uses.
    sys.modules.setdefault("ssl", cast(ModuleType, None))
    args = build_parser().parse_args(argv)
    try:
        status = command_module(args.command).main(args)
        sys.stdout.flush()
    except GatewayError as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        print("gatewayd: out of memory", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough. What is left must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status
