"""`gatewayd watch PORT`: what passes over a line now, as text, in hexadecimal or as packets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from gatewayd import __version__
from gatewayd.control.client import Conversation, Refused, call
from gatewayd.control.own import find_path
from gatewayd.errors import GatewayError
from gatewayd.record.live import Capture, Form, Hex, Lines, Live

HELP = "look on at what passes over the line of a port, without disturbing anybody"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gatewayd watch`."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", action="store_true", help="lines with their times (the default)")
    form.add_argument("--hex", action="store_true", help="bytes in hexadecimal")
    form.add_argument(
        "--json", action="store_true", help="what the daemon tells, one object a line"
    )
    form.add_argument(
        "--pcapng",
        action="store_true",
        help="packets for Wireshark, as in: ... | wireshark -k -i -",
    )
    parser.add_argument(
        "--replay",
        action="store_true",
        help="begin with what the device said last, if that is kept",
    )
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument("port", metavar="PORT", help="the port's name")


def main(args: argparse.Namespace) -> int:
    """Print until interrupted. Raises GatewayError, also when the daemon stops."""
    if args.pcapng and sys.stdout.isatty():
        raise GatewayError(
            "packets are not for a terminal; write: ... --pcapng | wireshark -k -i -"
        )
    path = args.control or find_path()
    ports = call(path, "Status")["ports"]
    port = next((one for one in ports if one["name"] == args.port), None)
    if port is None:
        raise Refused("NoSuchPort", {"port": args.port})
    form = _form(args, port)
    live = Live(port, form)
    wanted = {"port": args.port, "replay": args.replay}
    with Conversation(path, "Watch", wanted, more=True) as conversation:
        if not args.json:
            _put(form.begin())
        patience: float | None = None
        while True:
            answer = conversation.answer(patience)
            if args.json:
                print(json.dumps(answer), flush=True)
                continue
            _put(form.rest() if answer is None else live.answer(answer))
            # Nothing is unfinished after a rest.
            patience = None if answer is None else form.rest_s


def _form(args: argparse.Namespace, port: Mapping[str, Any]) -> Form:
    if args.pcapng:
        return Capture(port, f"gatewayd {__version__}")
    return Hex() if args.hex else Lines()


def _put(data: bytes) -> None:
    if data:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
