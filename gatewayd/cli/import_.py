"""`gatewayd import`: a configuration of ser2net turned into ours."""

from __future__ import annotations

import argparse
import sys

from gatewayd.config.load import LARGEST_FILE, parse
from gatewayd.config.problem import ConfigError
from gatewayd.regular import open_regular
from gatewayd.ser2net import version3, version4
from gatewayd.ser2net.convert import convert
from gatewayd.ser2net.model import Remark, Source, UnreadableError
from gatewayd.ser2net.write import configuration

HELP = "turn a ser2net.yaml or ser2net.conf into a configuration, printed on standard output"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gatewayd import`."""
    parser.add_argument("file", metavar="FILE", help="configuration of ser2net 3 or 4")


def main(args: argparse.Namespace) -> int:
    """Print the configuration, and what was lost on standard error.

    Returns 0 when the result is one that `gatewayd check` takes and serves something, else 1.
    """
    path: str = args.file
    try:
        source = read(path)
    except (OSError, UnreadableError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        print(f"{path}: {cause}" if isinstance(error, OSError) else cause, file=sys.stderr)
        return 1
    ports, remarks = convert(source)
    text = configuration(ports, remarks, path)
    print(text, end="")
    lost: list[Remark] = [*remarks, *(remark for port in ports for remark in port.remarks)]
    for remark in sorted(set(lost)):
        print(f"{path}:{remark.line}: {remark.text}", file=sys.stderr)
    try:
        parse(text, "the result")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    if not any(port.enabled for port in ports):
        print(f"{path}: no port is served there", file=sys.stderr)
        return 1
    return 0


def read(path: str) -> Source:
    """The file `path` in whichever format. Raises OSError and UnreadableError."""
    with open_regular(path) as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise UnreadableError(f"{path}: larger than {LARGEST_FILE} bytes")
    text = data.decode("utf-8", "replace")
    return version3.read(text) if version3.looks_like_conf(text) else version4.read(text, path)
