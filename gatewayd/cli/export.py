"""`gatewayd export`: the configuration as other programs read it."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.load import load
from gatewayd.config.schema import Config
from gatewayd.device.scan import scan
from gatewayd.errors import GatewayError
from gatewayd.export.model import Export, Here

HELP = "print the ports as PyVISA, labgrid, Avahi, Prometheus or ser2net read them"
FORMATS = ("avahi", "labgrid", "prometheus", "pyvisa", "ser2net")


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
    parser.add_argument(
        "-d", "--directory", metavar="PATH", help="write files there, and print nothing"
    )


def main(args: argparse.Namespace) -> int:
    """Print the file, and what it cannot say on standard error.

    Raises ConfigError, and GatewayError when there are several files and no directory for them, or
    they cannot be written.
    """
    config = load(args.config)
    here = Here(args.host or socket.gethostname(), scan())
    make: Callable[[Config, Here], Export] = import_module(f"gatewayd.export.{args.format}").export
    made = make(config, here)
    for remark in made.remarks:
        print(f"{args.config}: {remark}", file=sys.stderr)
    if args.directory is not None:
        _write(made.files, args.directory)
        return 0
    if len(made.files) > 1:
        text = f"{args.format} reads {len(made.files)} files; name a directory for them with -d"
        raise GatewayError(text)
    for _, text in made.files:
        print(text, end="")
    return 0


def _write(files: Sequence[tuple[str, str]], directory: str) -> None:
    for name, text in files:
        path = os.path.join(directory, name)
        try:
            # Whoever reads it meanwhile finds the old one or the new one.
            with open(f"{path}.new", "w") as file:
                file.write(text)
            os.replace(f"{path}.new", path)
        except OSError as error:
            raise GatewayError(f"{path}: {error.strerror}") from None
