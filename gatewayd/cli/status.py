"""`gatewayd status`: what the running daemon serves, as a table for people or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gatewayd.control.client import call
from gatewayd.control.own import find_path
from gatewayd.errors import GatewayError

HELP = "show ports, devices and sessions of the running daemon"
HEADINGS = ("PORT", "DEVICE", "LINE", "SESSION", "SINCE", "RECEIVED", "SENT", "ERRORS")
ERRORS = ("breaks", "framing_errors", "parity_errors", "overruns", "buffer_overruns")
_COLOURS = {
    "ready": "32",
    "opening": "33",
    "busy": "33",
    "absent": "31",
    "failed": "31",
    "stuck": "31",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd status`."""
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    parser.add_argument("port", metavar="PORT", nargs="*", help="only these ports")


def main(args: argparse.Namespace) -> int:
    """Print the state; 1 when a named port does not exist. Raises ControlClientError."""
    answer = call(args.control or find_path(), "Status")
    ports = answer["ports"]
    if args.port:
        names = {port["name"] for port in ports}
        missing = [name for name in args.port if name not in names]
        if missing:
            raise GatewayError(f"there is no port {', '.join(missing)}")
        ports = [port for port in ports if port["name"] in args.port]
    if args.json:
        print(json.dumps({**answer, "ports": ports}, indent=2))
        return 0
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print("\n".join(table(ports, now=datetime.now().astimezone(), colour=colour)))
    return 0


def table(ports: Sequence[Mapping[str, Any]], *, now: datetime, colour: bool) -> list[str]:
    """The ports as lines of text, a heading first; a device that is not ready says why below."""
    rows = [HEADINGS, *(_row(port, now) for port in ports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for row, port in zip(rows, (None, *ports), strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if colour and port is None:
            cells = [f"\033[1m{cell}\033[0m" for cell in cells]
        elif colour and port is not None:
            cells[1] = f"\033[{_COLOURS[port['state']]}m{cells[1]}\033[0m"
        lines.append("  ".join(cells).rstrip())
        if port is not None and port["state"] != "ready":
            lines.append(f"  {port['cause']}")
    return lines


def _row(port: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    session = port["session"]
    errors = sum(port[kind] for kind in ERRORS)
    return (
        port["name"],
        port["state"],
        port["line"],
        f"{session['peer']} {session['face']}" if session else "-",
        _age(now, session["since"]) if session else "-",
        in_bytes(port["received"]),
        in_bytes(port["sent"]),
        str(errors),
    )


def _age(now: datetime, since: str) -> str:
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def in_bytes(count: int) -> str:
    """A number of bytes, for people."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
