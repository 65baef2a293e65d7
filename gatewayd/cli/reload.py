"""`gatewayd reload`: puts the configuration file in force in the running daemon."""

from __future__ import annotations

import argparse
import sys

from gatewayd.control.client import Refused, call
from gatewayd.control.own import find_path

HELP = "put the configuration file in force in the running daemon"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd reload`."""
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")


def main(args: argparse.Namespace) -> int:
    """Print what changed, or what is wrong with the file. Raises ControlClientError."""
    try:
        answer = call(args.control or find_path(), "Reload")
    except Refused as error:
        if error.name != "ConfigRejected":
            raise
        for problem in error.parameters["problems"]:
            print(problem, file=sys.stderr)
        return 1
    print(answer["summary"])
    return 0
