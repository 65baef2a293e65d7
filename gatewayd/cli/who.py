"""`gatewayd who`: who holds each port, who watches, and for whom it is kept."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from gatewayd.cli.status import in_bytes
from gatewayd.control.client import call
from gatewayd.control.own import find_path
from gatewayd.errors import GatewayError

HELP = "show who holds each port, who watches, and for whom it is kept"
HEADINGS = ("PORT", "ROLE", "WHO", "FACE", "SINCE", "IDLE", "IN", "OUT", "MISSED")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd who`."""
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument(
        "--all", action="store_true", help="of all gateways on the network, asked over ssh"
    )
    parser.add_argument("port", metavar="PORT", nargs="*", help="only these ports")


def main(args: argparse.Namespace) -> int:
    """Print it; 1 when a named port does not exist, or a gateway gave no answer.

    Raises GatewayError.
    """
    complete = True
    if args.all:
        ports, complete = _everywhere()
    else:
        ports = call(args.control or find_path(), "Status")["ports"]
    missing = set(args.port) - {port["name"] for port in ports}
    if missing:
        raise GatewayError(f"there is no port {', '.join(sorted(missing))}")
    ports = [port for port in ports if not args.port or port["name"] in args.port]
    if args.json:
        keys = ("name", "state", "session", "watchers", "lease")
        print(json.dumps([{key: port[key] for key in keys} for port in ports], indent=2))
    else:
        print("\n".join(table(ports, now=datetime.now().astimezone())))
    return 0 if complete else 1


def _everywhere() -> tuple[list[dict[str, Any]], bool]:
    """The ports of all gateways, called HOST/PORT, and whether all of these answered."""
    from gatewayd.cli.ls import everybody, found
    from gatewayd.fleet.listing import GATEWAYS

    answers, complete = everybody(found(GATEWAYS))
    ports = [
        {**port, "name": f"{host}/{port['name']}"}
        for host, ports in answers.items()
        for port in ports
    ]
    return ports, complete


def table(ports: Sequence[Mapping[str, Any]], *, now: datetime) -> list[str]:
    """Everybody, as lines of text, a heading first."""
    rows = [HEADINGS, *(row for port in ports for row in _rows(port, now))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _rows(port: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, ...]]:
    name, session, lease = port["name"], port["session"], port["lease"]
    rest = ("",) * 6
    if session is not None:
        role = "leaving" if session["leaving"] else "owner"
        who = _who(session["name"], session["peer"])
        counts = in_bytes(session["bytes_in"]), in_bytes(session["bytes_out"])
        since = _clock(session["since"], now)
        yield name, role, who, session["face"], since, f"{session['idle']} s", *counts, ""
        name = ""
    for one in port["watchers"]:
        who, since = _who(one["name"], one["peername"]), _clock(one["since"], now)
        missed = in_bytes(one["missed"]) if one["missed"] else ""
        yield name, "watch", who, one["face"], since, "", "", in_bytes(one["bytes_out"]), missed
        name = ""
    if lease is not None:
        note = f', "{lease["note"]}"' if lease["note"] else ""
        host = f" from {lease['host']}" if lease["host"] else ""
        until = _clock(lease["until"], now)
        yield name, "lease", f"{lease['holder']}{host}{note}, until {until}", *rest
        name = ""
    if name:
        yield name, "free" if port["state"] == "ready" else port["state"], "", *rest


def _who(name: str, peer: str) -> str:
    return f"{name} {peer}" if name and name not in peer else peer


def _clock(text: str, now: datetime) -> str:
    """The time of the day; with the date if that is another."""
    when = datetime.fromisoformat(text).astimezone()
    return when.strftime("%H:%M" if when.date() == now.date() else "%Y-%m-%d %H:%M")
