"""`gatewayd kick PORT`: ends the session that holds a port."""

from __future__ import annotations

import argparse

from gatewayd.control.client import call
from gatewayd.control.own import find_path

HELP = "end the session that holds a port"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd kick`."""
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument("port", metavar="PORT", help="the port's name")


def main(args: argparse.Namespace) -> int:
    """Print whose session it was. Raises Refused when nobody holds the port."""
    answer = call(args.control or find_path(), "Kick", port=args.port)
    print(f"{args.port}: session of {answer['peer']} ended")
    return 0
