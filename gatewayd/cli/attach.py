"""`gatewayd attach [PORT]`: the front desk in one's own terminal, or a port for a script."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import socket
import sys
from collections.abc import Mapping

from gatewayd.cli.terminal import Program, Screen, pump
from gatewayd.control.client import ANSWER_S, ControlClientError, Conversation
from gatewayd.control.own import find_path
from gatewayd.errors import GatewayError
from gatewayd.fleet.remote import PORT, become, place

HELP = "go to a port, or choose one, in this terminal"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gatewayd attach`."""
    parser.add_argument("--control", metavar="PATH", help="the daemon's control socket")
    parser.add_argument(
        "--ssh",
        action="store_true",
        help="for sshd's ForceCommand: the port is what ssh was asked to run",
    )
    parser.add_argument(
        "port",
        metavar="[HOST/]PORT",
        nargs="?",
        default="",
        help="the port's name; HOST/ alone is the desk of another gateway, reached by ssh",
    )


def main(args: argparse.Namespace) -> int:
    """Until the session is over. Raises GatewayError."""
    port = asked_by_ssh(os.environ) if args.ssh else args.port
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    there = None if args.ssh else place(port, desk=True)
    if there is not None:
        become(there.host, "attach", *filter(None, (there.port,)), terminal=terminal)
    if not terminal and not port:
        raise GatewayError("there is no terminal here: name a port, or use ssh -t")
    if port and not PORT.fullmatch(port):
        # Nothing of it is said again, and nothing else is made of it.
        raise GatewayError("that is no port's name")
    wanted = {"mode": "desk", "peer": caller(os.environ)}
    if terminal and port:
        wanted["port"] = port
    with connect(args.control or find_path(), wanted) as sock:
        return pump(sock, Screen() if terminal else Program(port))


def asked_by_ssh(environment: Mapping[str, str]) -> str:
    """The port that somebody named who came by ssh. It is a stranger's text: all of it is the name
    of a port, or it is nothing."""
    return environment.get("SSH_ORIGINAL_COMMAND", "").strip()


def caller(environment: Mapping[str, str]) -> str:
    """Who it is for: the user, and where ssh says that he comes from."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    host = environment.get("SSH_CONNECTION", "").partition(" ")[0]
    return f"{user} from {host}" if re.fullmatch(r"[0-9A-Fa-f.:%a-z]+", host) else user


def connect(path: str, wanted: Mapping[str, str]) -> socket.socket:
    """A connection to the desk. Raises GatewayError."""
    with Conversation(path, "Attach", wanted) as conversation:
        answer = conversation.answer(ANSWER_S)
        if answer is None:
            raise ControlClientError(f"{path}: timed out; is gatewayd running?")
        return conversation.handed(int(answer.get("fd", 0)))
