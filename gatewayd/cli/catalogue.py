"""The commands: what each does, and its module.

Only the module of the command that was given is imported: help and completion must be quick on a
small board.
"""

from __future__ import annotations

import importlib
import keyword
from typing import TYPE_CHECKING, cast

from gatewayd.typed import Protocol

if TYPE_CHECKING:
    import argparse

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
