"""`gatewayd free PORT`: ends the lease of a port."""

from __future__ import annotations

import argparse
import json

from gatewayd.control.client import call
from gatewayd.control.own import find_path
from gatewayd.fleet.remote import become, place

HELP = "end the lease of a port"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd free`."""
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument("--json", action="store_true", help="print whose it was as JSON")
    parser.add_argument(
        "port", metavar="[HOST/]PORT", help="the port's name; with HOST/ there, over ssh"
    )


def main(args: argparse.Namespace) -> int:
    """Print whose lease it was. Raises GatewayError, as when there is none."""
    there = place(args.port)
    if there is not None:
        options = ("--json",) if args.json else ()
        become(there.host, "free", *options, "--", there.port, terminal=False)
    answer = call(args.control or find_path(), "Free", port=args.port)
    if args.json:
        print(json.dumps(answer, indent=2))
    else:
        print(f"{args.port}: the lease of {answer['holder']} is over")
    return 0
