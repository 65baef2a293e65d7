"""`gatewayd web-token`: prints the address by which a browser signs in to the page."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

HELP = "print the address that lets a browser type on the page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd web-token`."""
    add = parser.add_argument
    add("--new", action="store_true", help="make another one; all browsers are signed out")
    add("--token", metavar="PATH", help="the file of the token")
    add(
        "--url",
        metavar="URL",
        default="http://localhost:8323/",
        help="where browsers reach the page (default: %(default)s)",
    )


def main(args: argparse.Namespace) -> int:
    """Print it; a token is made where there is none. Raises TokenError."""
    from gatewayd.web.token import new_token, read_token, token_path

    path = Path(args.token) if args.token else token_path()
    token = "" if args.new else read_token(path)
    token = token or new_token(path)
    # Behind the #, it stays in the browser: no request and no log has it.
    print(f"{args.url.rstrip('/')}/#token={token}")
    _hint()
    return 0


def _hint() -> None:
    """Say what else the page of the service needs, before anybody looks for it in vain."""
    example = "/usr/share/doc/gatewayd/examples/gatewayd-web-typing.conf"
    drop_in = "/etc/systemd/system/gatewayd-web.service.d/typing.conf"
    unit = "/usr/lib/systemd/system/gatewayd-web.service"
    if os.geteuid() == 0 and os.path.exists(unit) and not os.path.exists(drop_in):
        print(
            "the page of the service may only look; to let it type: "
            f"install -D -m 644 {example} {drop_in} && systemctl daemon-reload",
            file=sys.stderr,
        )
