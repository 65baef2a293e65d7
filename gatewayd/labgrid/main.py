"""The command line of gatewayd-labgrid."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import socket
import sys
from collections.abc import Sequence

from gatewayd.control.own import find_path
from gatewayd.errors import GatewayError


def build_parser() -> argparse.ArgumentParser:
    """Options are called as those of labgrid's own exporter."""
    parser = argparse.ArgumentParser(
        prog="gatewayd-labgrid",
        description="Offer the ports of the running gatewayd to a labgrid coordinator.",
    )
    add = parser.add_argument
    add(
        "-c",
        "--coordinator",
        metavar="HOST:PORT",
        default=os.environ.get("LG_COORDINATOR", "127.0.0.1:20408"),
        help="the coordinator (default: %(default)s)",
    )
    add(
        "-n",
        "--name",
        default=socket.gethostname(),
        help="the exporter's name at the coordinator (default: %(default)s)",
    )
    add(
        "--hostname",
        default=socket.getfqdn(),
        metavar="HOST",
        help="how clients reach this machine (default: %(default)s)",
    )
    add(
        "--listen",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where an acquired port can be reached (default: %(default)s)",
    )
    add("-i", "--isolated", action="store_true", help="have clients come through ssh")
    add("--control", metavar="PATH", help="the daemon's control socket")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 1 when labgrid is not there or an option is no use."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        address = ipaddress.ip_address(args.listen)
    except ValueError:
        print(f"--listen {args.listen!r} is no numeric address", file=sys.stderr)
        return 1
    try:
        from gatewayd.labgrid.agent import Agent
    except ImportError as error:
        print(f"this needs labgrid ({error}): pip install 'labgrid>=26'", file=sys.stderr)
        return 1
    host = args.hostname
    if address.is_loopback:
        host = str(address)
        if not args.isolated:
            print(
                "acquired ports can be reached from this machine only; --isolated has clients come "
                "through ssh, --listen ADDRESS opens them",
                file=sys.stderr,
            )
    try:
        agent = Agent(
            args.control or find_path(),
            args.coordinator,
            args.name,
            listen=args.listen,
            host=host,
            proxy=args.hostname if args.isolated else "",
        )
        asyncio.run(agent.run())
    except GatewayError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
