"""`gatewayd serve`: serves one device without a configuration, for programs that start a gateway.

The options are the settings of a port, judged as those in a file are; beyond that, TCP port 0 takes
any free one, which the log then names.
"""

from __future__ import annotations

import argparse
import os
import re

from gatewayd.cli.options import CLEAR_TEXT, Options
from gatewayd.config.document import PORT_NAME, check_name
from gatewayd.config.problem import ConfigError, Place, Problem
from gatewayd.config.schema import Config, PortConfig
from gatewayd.config.tree import Scalar
from gatewayd.config.values import DevicePath, parse_line
from gatewayd.control.own import own_path
from gatewayd.line.model import LineSettings, SignalPolicies, SignalPolicy
from gatewayd.service import daemon

HELP = "serve one device without a configuration"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd serve`."""
    policies = [policy.value for policy in SignalPolicy]
    add = parser.add_argument
    add("--device", metavar="PATH", required=True, help="the serial device")
    add("--line", metavar="LINE", default=str(LineSettings()), help="default: %(default)s")
    add(
        "--rfc2217",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="serve Telnet with Com Port Control at PORT, HOST:PORT or [v6]:PORT; may come again; "
        "without a host on loopback only, port 0 is any free one",
    )
    add(
        "--raw",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="serve plain TCP, likewise",
    )
    add("--clear-text", action="store_true", help=CLEAR_TEXT)
    add("--name", help="what the log calls it (default: from the device)")
    add("--lenient", action="store_true", help="answer clients with what they asked for")
    add("--takeover", action="store_true", help="let a second client replace the first")
    add("--dtr", choices=policies, default="client", help="who decides over DTR")
    add("--rts", choices=policies, default="client", help="who decides over RTS")


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises ConfigError with all that is wrong in the options."""
    return daemon.run(Config((port_of(args),), control=own_path("serve")), verbose=args.verbose)


def port_of(args: argparse.Namespace) -> PortConfig:
    """The port that the options say. Raises ConfigError."""
    options = Options()
    device = options.read("--device", args.device, _device)
    name = args.name or _name_for(args.device)
    options.read("--name", name, check_name)
    line = options.read("--line", args.line, parse_line)
    rfc2217 = options.addresses("rfc2217", args.rfc2217, args.clear_text)
    raw = options.addresses("raw", args.raw, args.clear_text)
    if not args.rfc2217 and not args.raw:
        text = "no address to serve it at; add --rfc2217 7001, or --raw 7101, or both"
        options.problems.append(Problem(Place("gatewayd serve"), text))
    options.look_for_clashes()
    if options.problems or device is None or line is None:
        raise ConfigError(options.problems)
    return PortConfig(
        name=name,
        device=device,
        line=line,
        rfc2217=rfc2217,
        raw=raw,
        lenient=args.lenient,
        takeover=args.takeover,
        signals=SignalPolicies(SignalPolicy(args.dtr), SignalPolicy(args.rts)),
    )


def _device(text: str) -> str:
    path = text if "://" in text or not text else os.path.abspath(text)
    return DevicePath().parse(Scalar(Place("--device"), path))


def _name_for(device: str) -> str:
    """A port name made of the last part of a path."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", os.path.basename(device))[:64]
    return name if re.fullmatch(PORT_NAME, name) else "device"
