"""`gatewayd log PORT`: the record of a port, and what comes."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.document import PORT_NAME
from gatewayd.config.load import load
from gatewayd.config.problem import ConfigError
from gatewayd.control.client import ControlClientError, call
from gatewayd.control.own import find_path
from gatewayd.errors import GatewayError
from gatewayd.record.reading import Growth, Reader, in_hex

HELP = "print what was recorded of a port, and what comes"
LAST: Final = 10
"""Lines that --follow begins with."""
_UNITS: Final = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gatewayd log`."""
    parser.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help=f"go on with what comes; without --since after the last {LAST} lines",
    )
    parser.add_argument(
        "--since", metavar="TIME", help="from then on: 10min, 2h, 3d, 09:12, '2026-11-25 09:12'"
    )
    parser.add_argument("--hex", action="store_true", help="print bytes in hexadecimal")
    parser.add_argument(
        "-c", "--config", metavar="FILE", help=f"default: the running daemon's, or {CONFIG_PATH}"
    )
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument("port", metavar="PORT", help="the port's name")


def main(args: argparse.Namespace) -> int:
    """Print the lines, with --follow until interrupted. Raises GatewayError."""
    since = None if args.since is None else parse_since(args.since, datetime.now().astimezone())
    directory = _directory(args)
    try:
        if not args.follow:
            os.stat(directory)
        _print(directory, since, follow=args.follow, as_hex=args.hex)
    except BrokenPipeError:
        raise
    except FileNotFoundError:
        raise GatewayError(f"there is no record of {args.port} in {directory}") from None
    except PermissionError as error:
        text = f"{error.filename}: permission denied; records are for root and the group gatewayd"
        raise GatewayError(text) from None
    except OSError as error:
        raise GatewayError(f"{error.filename or directory}: {error.strerror}") from None
    return 0


def _print(directory: str, since: datetime | None, *, follow: bool, as_hex: bool) -> None:
    # Before anything is read, so that nothing comes unseen.
    growth = Growth(directory) if follow else None
    reader = Reader(directory)
    if since is None and follow:
        _put(reader.begin_at_end(LAST), as_hex=as_hex)
    else:
        start = since or datetime.fromtimestamp(0).astimezone()
        _put(reader.begin(start), as_hex=as_hex)
    while growth is not None:
        growth.wait()
        _put(reader.more(), as_hex=as_hex)


def _put(lines: Iterable[bytes], *, as_hex: bool) -> None:
    for line in lines:
        _write(in_hex(line) if as_hex else line)
    _write(b"", flush=True)


def _write(data: bytes, *, flush: bool = False) -> None:
    try:
        sys.stdout.buffer.write(data)
        if flush:
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise GatewayError(f"standard output: {error.strerror}") from None


def _directory(args: argparse.Namespace) -> str:
    """Where the record of the port is: the daemon knows, or the configuration."""
    port: str = args.port
    if args.config is None:
        try:
            ports = call(args.control or find_path(), "Status")["ports"]
        except ControlClientError:
            if args.control is not None:
                raise
        else:
            for one in ports:
                if one["name"] == port and one["record"] is not None:
                    return str(one["record"]["directory"])
    try:
        config = load(args.config or CONFIG_PATH)
    except ConfigError:
        if args.config is not None:
            raise
        raise GatewayError(f"{port} is not recorded; write record: output at the port") from None
    directory = os.path.join(config.record.directory, port)
    # That of a port which is no more may still be read.
    gone = not any(one.name == port for one in config.ports)
    if gone and not (re.fullmatch(PORT_NAME, port) and os.path.isdir(directory)):
        raise GatewayError(f"there is no port {port or 'without a name'}")
    return directory


def parse_since(text: str, now: datetime) -> datetime:
    """The time that `text` means. Raises GatewayError."""
    found = re.fullmatch(r"([0-9]{1,9}) ?(s|min|h|d)(?: ago)?", text)
    try:
        if found is not None:
            return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
        if re.fullmatch(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", text):
            text = f"{now.date().isoformat()} {text}"
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise GatewayError(
            f"{text!r} is no time; write 10min, 2h, 3d, 09:12 or '2026-11-25 09:12'"
        ) from None
