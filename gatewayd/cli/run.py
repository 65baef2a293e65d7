"""`gatewayd run`: serves the ports of a configuration in the foreground."""

from __future__ import annotations

import argparse

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.load import load
from gatewayd.service import daemon

HELP = "serve the ports of a configuration"


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
    """Serve until SIGTERM or SIGINT. Raises ConfigError before anything is served."""
    path: str = args.config
    return daemon.run(load(path), config_path=path, verbose=args.verbose)
