"""`gatewayd check`: judges a configuration without starting anything."""

from __future__ import annotations

import argparse

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.load import load
from gatewayd.config.problem import ConfigError

HELP = "judge a configuration without starting anything"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gatewayd check`."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default=CONFIG_PATH, help="default: %(default)s"
    )


def main(args: argparse.Namespace) -> int:
    """Print every problem, one a line, and return 1; or that there is none, and return 0."""
    path: str = args.file
    try:
        config = load(path)
    except ConfigError as error:
        print(error)
        return 1
    addresses = sum(len(port.listeners) for port in config.ports)
    ports = _count(len(config.ports), "port")
    print(f"{path}: no problems; {ports} at {_count(addresses, 'address')}")
    return 0


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
