"""`gatewayd run`: serves the ports of a configuration in the foreground."""

from __future__ import annotations

import argparse
import os
import sys

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.load import load
from gatewayd.config.problem import ConfigError
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
    """Serve until SIGTERM or SIGINT; refuse a configuration with problems."""
    path: str = args.config
    try:
        config = load(path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return os.EX_CONFIG
    return daemon.run(config, config_path=path, verbose=args.verbose)
