"""`gatewayd export`: the configuration as other programs read it."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Callable
from importlib import import_module

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.load import load
from gatewayd.config.schema import Config
from gatewayd.device.scan import scan
from gatewayd.export.model import Export, Here

HELP = "print the ports as PyVISA, labgrid or ser2net read them"
FORMATS = ("labgrid", "pyvisa", "ser2net")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gatewayd export`."""
    parser.add_argument(
        "format", metavar="FORMAT", choices=FORMATS, help="one of " + ", ".join(FORMATS)
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", default=CONFIG_PATH, help="default: %(default)s"
    )
    parser.add_argument(
        "--host", metavar="NAME", help="how others reach this machine (default: its own name)"
    )


def main(args: argparse.Namespace) -> int:
    """Print the file, and what it cannot say on standard error. Raises ConfigError."""
    config = load(args.config)
    here = Here(args.host or socket.gethostname(), scan())
    make: Callable[[Config, Here], Export] = import_module(f"gatewayd.export.{args.format}").export
    made = make(config, here)
    for remark in made.remarks:
        print(f"{args.config}: {remark}", file=sys.stderr)
    for _, text in made.files:
        print(text, end="")
    return 0
