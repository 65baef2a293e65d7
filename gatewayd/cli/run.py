"""`gatewayd run`: serves the ports of a configuration in the foreground."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.apart import Outcome, outcome
from gatewayd.typed import NamedTuple

if TYPE_CHECKING:
    import argparse

HELP = "serve the ports of a configuration"


class Order(NamedTuple):
    """What a command line asks for."""

    path: str
    found: Outcome
    verbose: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd run`."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default=CONFIG_PATH,
        help="the file (default: %(default)s)",
    )


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; refuse a configuration with problems."""
    return _serve(Order(args.config, outcome(args.config), args.verbose))


def start(argv: Sequence[str]) -> int | None:
    """The same for a command line; None when it asks for something else.

    The command line and the file are looked at by a process that ends with it. Raises SystemExit on
    wrong usage.
    """
    # Imported before: what both need is then made once. It stays, so it need not be looked at again
    # each time that garbage is looked for.
    import gatewayd.service.daemon  # noqa: F401
    from gatewayd.cli.forked import forked
    from gatewayd.config.schema import Config, PortConfig
    from gatewayd.value import said

    # Names of all files beside those that were imported: 0.1 MB, and made again if need be.
    sys.path_importer_cache.clear()
    gc.collect()
    gc.freeze()
    try:
        order = forked(partial(_look, argv))
    except OSError:
        # There is no room for one more process: all is done in this one.
        return None
    if order is None:
        return None
    for kind in (PortConfig, Config):
        # What there is to say of a key is for who judges a file.
        said(kind).clear()
    return _serve(order)


def _look(argv: Sequence[str]) -> Order | None:
    from gatewayd.cli.parser import build_parser

    args = build_parser().parse_args(argv)
    if args.command != "run":
        return None
    return Order(args.config, outcome(args.config), args.verbose)


def _serve(order: Order) -> int:
    from gatewayd.service import daemon, handlers

    path, found, verbose = order
    if not isinstance(found, tuple):
        return daemon.run(found, config_path=path, verbose=verbose)
    if handlers.on_journal():
        from gatewayd.log import Happening, note

        handlers.install(verbose)
        for problem in found:
            note(Happening.CONFIG_REJECTED, "%s", problem, level=logging.ERROR)
    else:
        print("\n".join(map(str, found)), file=sys.stderr)
    return os.EX_CONFIG
