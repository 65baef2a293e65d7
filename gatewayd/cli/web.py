"""`gatewayd web`: the page, a process beside the daemon."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gatewayd.control.own import find_path
from gatewayd.errors import GatewayError

if TYPE_CHECKING:
    import ssl

HELP = "serve the page that shows the ports of the running daemon to browsers"
ADDRESS: Final = "127.0.0.1:8323"
IDLE_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd web`."""
    add = parser.add_argument
    add(
        "--listen",
        metavar="ADDRESS",
        action="append",
        default=[],
        help=f"PORT, HOST:PORT or [v6]:PORT, on loopback without a host (default: {ADDRESS}); "
        "may come again; a socket unit says it instead",
    )
    add(
        "--name",
        metavar="HOST",
        action="append",
        default=[],
        help="a host name under which browsers reach the page; may come again",
    )
    add(
        "--idle",
        metavar="SECONDS",
        type=float,
        help="end when nobody was connected for so long (default: 60 with a socket unit, else "
        "never)",
    )
    add("--certificate", metavar="PATH", help="serve TLS with this certificate, in PEM")
    add("--key", metavar="PATH", help="the key of the certificate")
    add("--control", metavar="PATH", help="the daemon's control socket")
    add("--token", metavar="PATH", help="the file of the token, see web-token")


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM, SIGINT or nobody is there. Raises GatewayError."""
    # Before anything that imports asyncio, which has no ssl otherwise.
    tls = _context(args.certificate, args.key)
    from gatewayd.service import handlers

    handlers.install(args.verbose)
    sockets = _passed()
    idle = args.idle if args.idle is not None or not sockets else IDLE_S
    sockets = sockets or [_bound(text) for text in args.listen or [ADDRESS]]
    serve(
        sockets,
        control=args.control or find_path(),
        token=Path(args.token) if args.token else None,
        names=args.name,
        idle=idle,
        tls=tls,
    )
    return 0


def serve(
    sockets: list[socket.socket],
    *,
    control: str,
    token: Path | None,
    names: list[str],
    idle: float | None,
    tls: ssl.SSLContext | None,
) -> None:
    """Serve the page. Raises GatewayError when what it needs is not installed."""
    import asyncio

    try:
        from gatewayd.web.daemon import Daemon
        from gatewayd.web.server import Server
        from gatewayd.web.site import Site
        from gatewayd.web.token import token_path
    except ModuleNotFoundError as error:
        raise GatewayError(
            f"the page needs {error.name}: install python3-h11 and python3-wsproto"
        ) from error

    hosts = frozenset(name.lower() for name in names)

    async def run() -> None:
        site = Site(Daemon(control), token or token_path(), hosts)
        await Server(site, sockets, idle=idle, tls=tls).serve()

    asyncio.run(run())


def _context(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise GatewayError("--certificate and --key belong together")
    from gatewayd.config.schema import TlsFiles
    from gatewayd.tls.identity import load

    return load(TlsFiles(certificate, key)).context()


def _passed() -> list[socket.socket]:
    """The listening sockets that a socket unit passed."""
    from gatewayd.service import systemd

    return [socket.socket(fileno=fd) for fds in systemd.listen_fds().values() for fd in fds]


def _bound(text: str) -> socket.socket:
    from gatewayd.config.problem import ConfigError, Place, Problem
    from gatewayd.config.values import parse_address

    try:
        address = parse_address(text, any_port=True)
    except ValueError as error:
        raise ConfigError([Problem(Place("--listen"), str(error))]) from None
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=64)
    except OSError as error:
        raise GatewayError(f"{address}: {error.strerror}") from error
