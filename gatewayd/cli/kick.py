"""`gatewayd kick PORT`: ends the session that holds a port, or those that watch it."""

from __future__ import annotations

import argparse
import json

from gatewayd.control.client import Refused, call
from gatewayd.control.own import find_path
from gatewayd.errors import GatewayError

HELP = "end the session that holds a port, or those that watch it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd kick`."""
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument(
        "--watchers", action="store_true", help="those who watch, not the one that holds the port"
    )
    parser.add_argument("--json", action="store_true", help="print whose it was as JSON")
    parser.add_argument("port", metavar="PORT", help="the port's name")


def main(args: argparse.Namespace) -> int:
    """Print whose session it was. Raises GatewayError when there is none."""
    path = args.control or find_path()
    try:
        answer = call(path, "Kick", port=args.port, watchers=args.watchers)
    except Refused as refused:
        if args.watchers and refused.name == "NotHeld":
            # Somebody may well hold it.
            raise GatewayError(f"nobody watches port {args.port}") from None
        raise
    if args.json:
        print(json.dumps(answer, indent=2))
        return 0
    for peer in answer["peers"]:
        print(f"{args.port}: session of {peer} ended")
    return 0
