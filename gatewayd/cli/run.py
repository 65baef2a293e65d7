"""`gatewayd run`: serves the ports of a configuration in the foreground."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.load import load
from gatewayd.config.problem import ConfigError
from gatewayd.log import Happening, note
from gatewayd.service import daemon, handlers

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
        if handlers.on_journal():
            handlers.install(args.verbose)
            for problem in error.problems:
                note(Happening.CONFIG_REJECTED, "%s", problem, level=logging.ERROR)
        else:
            print(error, file=sys.stderr)
        return os.EX_CONFIG
    return daemon.run(config, config_path=path, verbose=args.verbose)
