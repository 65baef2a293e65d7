"""Commands on other gateways, over ssh.

A lab has ssh: it proves both sides, encrypts, and gives whoever comes the rights that he has on
that machine, so the daemon needs neither an address nor a password for it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, NoReturn

from gatewayd.errors import GatewayError

PATIENCE_S: Final = 10.0
"""How long a gateway is waited for that is asked for others' sake."""
_HOST: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*")
PORT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a port may be called; nothing else of a stranger's text is taken."""


@dataclass(frozen=True, slots=True)
class Place:
    """A port of another gateway, as HOST/PORT."""

    host: str
    """As ssh takes it: a host of its configuration, with a user before it or not."""
    port: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway said."""

    host: str
    text: str
    trouble: str
    """Why there is none; empty when there is one."""


def place(text: str, *, desk: bool = False) -> Place | None:
    """HOST/PORT, or None for a port of this machine; with `desk`, HOST/ has no port.

    Raises GatewayError.
    """
    host, slash, port = text.rpartition("/")
    if not slash:
        return None
    if not _HOST.fullmatch(host) or not (PORT.fullmatch(port) or (desk and not port)):
        raise GatewayError(f"{text!r} is no HOST/PORT; write pi1/psu1 or lab@pi1/psu1")
    return Place(host, port)


def argv(host: str, *command: str, options: Sequence[str] = ()) -> list[str]:
    """The command line that has `gatewayd COMMAND` run on `host`. Raises GatewayError."""
    if not _HOST.fullmatch(host):
        raise GatewayError(f"{host!r} is no host's name")
    return ["ssh", *options, "--", host, shlex.join(("gatewayd", *command))]


def become(host: str, *command: str, terminal: bool) -> NoReturn:
    """Run it in place of this program. Raises GatewayError."""
    line = argv(host, *command, options=("-t" if terminal else "-T",))
    try:
        os.execvp(line[0], line)
    except OSError as error:
        raise _no_ssh(error) from None


def ask(hosts: Sequence[str], *command: str) -> list[Answer]:
    """What each of `hosts` prints, all at once; nobody is asked for a password.

    The names may be a stranger's. Raises GatewayError when there is no ssh here.
    """
    quiet = ("-T", "-oBatchMode=yes", "-oConnectTimeout=5", "-oLogLevel=ERROR")
    with ExitStack() as stack:
        asked = {
            host: _start(argv(host, *command, options=quiet), stack)
            for host in hosts
            if _HOST.fullmatch(host)
        }
        until = time.monotonic() + PATIENCE_S
        answers = [_answer(host, one, until - time.monotonic()) for host, one in asked.items()]
    strange = [Answer(host, "", "that is no host's name") for host in hosts if host not in asked]
    return answers + strange


def _start(line: Sequence[str], stack: ExitStack) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, errors="replace"
        )
    except OSError as error:
        raise _no_ssh(error) from None
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def _answer(host: str, process: subprocess.Popen[str], seconds: float) -> Answer:
    try:
        text, trouble = process.communicate(timeout=max(seconds, 0))
    except subprocess.TimeoutExpired:
        return Answer(host, "", f"no answer in {PATIENCE_S:g} s")
    if process.returncode == 0:
        return Answer(host, text, "")
    lines = trouble.strip().splitlines()
    return Answer(host, "", lines[-1] if lines else f"ssh ended with {process.returncode}")


def _no_ssh(error: OSError) -> GatewayError:
    return GatewayError(f"ssh: {error.strerror}; apt install openssh-client")
