"""`gatewayd cert`: what TLS needs, made by openssl, and what to write where."""

from __future__ import annotations

import argparse
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from gatewayd.tls import maker

HELP = "make a certificate for the gateway, or for clients"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gatewayd cert`."""
    parser.add_argument("what", choices=["server", "client"], help="whose certificate")
    parser.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help="names and addresses by which the gateway is reached (default: that of the machine), "
        "or the name of a client",
    )
    parser.add_argument(
        "-d",
        "--directory",
        metavar="DIRECTORY",
        type=Path,
        default=Path("tls"),
        help="where the files go (default: %(default)s)",
    )
    parser.add_argument(
        "--days",
        metavar="N",
        type=_days,
        default=maker.DAYS,
        help=f"how long it holds, at most {maker.MOST_DAYS} (default: %(default)s)",
    )


def _days(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= maker.MOST_DAYS:
        hint = f"{text!r} is no number of days; write 1 to {maker.MOST_DAYS}"
        raise argparse.ArgumentTypeError(hint)
    return int(text)


def main(args: argparse.Namespace) -> int:
    """Make them, and print what to do with them. Raises MakerError."""
    directory: Path = args.directory
    if args.what == "server":
        hosts = args.names or [socket.gethostname(), "localhost", "127.0.0.1"]
        lines = of_server(maker.server(directory, hosts, args.days), hosts[0])
    elif not args.names:
        raise maker.MakerError("whose? write gatewayd cert client NAME")
    else:
        names = list(dict.fromkeys(args.names))
        for name in names:
            # All before the first is made: who is told of one wrong name need not look for others.
            maker.client_pair(directory, name)
        made = [maker.client(directory, name, args.days) for name in names]
        lines = (line for pair, ca in made for line in of_client(pair, ca))
    for line in lines:
        print(line)
    return 0


def of_server(pair: maker.Pair, host: str) -> Iterator[str]:
    """What to write for the gateway, and what clients need."""
    yield f"{pair.certificate} and {pair.key}"
    yield f"SHA-256 {pair.fingerprint}"
    yield "In the configuration, if it is beside that directory:"
    yield f"  tls: {{certificate: {pair.certificate}, key: {pair.key}}}"
    yield "and at an address: {listen: 0.0.0.0:7992, tls: implicit}"
    yield f"Clients need a copy of {pair.certificate.name}, by which they know the gateway:"
    yield f"  openssl s_client -quiet -verify_return_error -CAfile {pair.certificate.name} "
    yield f"      -connect {host}:7992"


def of_client(pair: maker.Pair, ca: maker.Pair) -> Iterator[str]:
    """What to write for a client, on its side and on the gateway's."""
    crt, key = pair.certificate.name, pair.key.name
    yield f"{pair.certificate} and {pair.key}: for the client, and for nobody else"
    yield f"SHA-256 {pair.fingerprint}"
    yield "In the configuration, beside certificate and key of tls:"
    yield f"  client_ca: {ca.certificate}"
    yield "and at an address: client_certificate: required"
    yield "On the client's side, for programs that know no TLS (they connect to port 7001 there):"
    yield "  socat TCP-LISTEN:7001,bind=127.0.0.1,fork,reuseaddr \\"
    yield f"      OPENSSL:GATEWAY:7992,cert={crt},key={key},cafile=gatewayd.crt"
    yield "or to try it:"
    yield f"  openssl s_client -quiet -cert {crt} -key {key} -CAfile gatewayd.crt \\"
    yield "      -connect GATEWAY:7992"
