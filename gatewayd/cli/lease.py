"""`gatewayd lease PORT`: keeps a port for somebody for a time."""

from __future__ import annotations

import argparse
import getpass
import ipaddress
import json
import os
import re

from gatewayd.control.client import call
from gatewayd.control.own import find_path
from gatewayd.fleet.remote import become, place

HELP = "keep a port for somebody for a time"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd lease`."""
    add = parser.add_argument
    add("--control", metavar="PATH", help="the daemon's control socket")
    add(
        "--for",
        dest="seconds",
        type=_seconds,
        default="1h",
        metavar="TIME",
        help="how long, as 90min, 2h or 3d; at most 7d (default: %(default)s)",
    )
    add(
        "--as",
        dest="holder",
        type=_name,
        default=_user(),
        metavar="NAME",
        help="for whom (%(default)s)",
    )
    add("--note", default="", metavar="TEXT", help="what for")
    add(
        "--from",
        dest="host",
        type=_host,
        default="",
        metavar="ADDRESS",
        help="the machine whose clients may hold the port",
    )
    add("--json", action="store_true", help="print the lease as JSON")
    add("port", metavar="[HOST/]PORT", help="the port's name; with HOST/ there, over ssh")


def _user() -> str:
    user = os.environ.get("SUDO_USER")
    if user:
        return user
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _name(text: str) -> str:
    if not any(one.isprintable() and not one.isspace() for one in text):
        raise argparse.ArgumentTypeError(f"{text!r} names nobody; write who has the port")
    return text


def _seconds(text: str) -> int:
    form = re.fullmatch(r"([0-9]{1,7}) ?(s|min|h|d)?", text)
    seconds = (
        int(form[1]) * {"s": 1, "min": 60, "h": 3600, "d": 86400}[form[2] or "s"] if form else 0
    )
    if not 0 < seconds <= 7 * 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no time up to 7d; write 90min, 2h or 3d")
    return seconds


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        hint = f"{text!r} is no numeric address; write one such as 10.0.4.17"
        raise argparse.ArgumentTypeError(hint) from None


def main(args: argparse.Namespace) -> int:
    """Print until when. Raises GatewayError, as when it is leased to somebody else."""
    there = place(args.port)
    if there is not None:
        options = [f"--for={args.seconds}s", f"--as={args.holder}", f"--note={args.note}"]
        options += [f"--from={args.host}"] if args.host else []
        options += ["--json"] if args.json else []
        become(there.host, "lease", *options, "--", there.port, terminal=False)
    answer = call(
        args.control or find_path(),
        "Lease",
        port=args.port,
        holder=args.holder,
        seconds=args.seconds,
        note=args.note,
        host=args.host,
    )
    if args.json:
        print(json.dumps(answer, indent=2))
        return 0
    lease, holding = answer["lease"], answer["holding"]
    print(f"{args.port}: leased to {lease['holder']} until {lease['until']}")
    if holding:
        print(f"{args.port}: {holding} holds it until a client of the lease comes")
    return 0
