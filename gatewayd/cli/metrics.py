"""`gatewayd metrics`: what the running daemon has counted, in the text form of Prometheus."""

from __future__ import annotations

import argparse

from gatewayd.control.client import call
from gatewayd.control.own import find_path
from gatewayd.metrics.families import families
from gatewayd.metrics.text import Form, render

HELP = "print what the running daemon has counted, as Prometheus reads it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd metrics`."""
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument(
        "--openmetrics", action="store_true", help="as OpenMetrics, not in the older text format"
    )


def main(args: argparse.Namespace) -> int:
    """Print the metrics. Raises ControlClientError."""
    answer = call(args.control or find_path(), "Status")
    form = Form.OPENMETRICS if args.openmetrics else Form.TEXT
    print(render(families(answer), form), end="")
    return 0
