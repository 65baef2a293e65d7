"""The gateways that are compared, and how each is started on a set of lines."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.toolchain import DEBIANS, SER2NET, STUNNEL, Tools, install, interpreter
from tests.ports import free_ports

BAUDRATE = 115200
CERTIFICATE, KEY = "gatewayd.crt", "gatewayd.key"
"""The files in the directory of a subject with TLS."""
BEHIND = "behind"
"""The file there with the TCP ports of what stands behind another process."""
BEFORE = "before"
"""The name of gatewayd as another checkout has it."""
METRICS = "metrics"
"""The file in a subject's directory that has the TCP port of its metrics."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line to serve: its tty and the TCP port on 127.0.0.1 where clients find it."""

    device: str
    tcp_port: int
    watched_at: int = 0
    """The TCP port for those who watch; 0 for none."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A gateway under test. `command` writes its files into a directory and gives its argv."""

    name: str
    title: str
    telnet: bool
    command: Callable[[Sequence[Line], Path], list[str]]
    tls: bool = False
    """Whether its clients begin with TLS; its keys are in the directory then."""
    front: Callable[[Sequence[Line], Path], list[str]] | None = None
    """A second process, which stands before that of `command`; it is counted as well."""


def system_python() -> str:
    """The interpreter gatewayd is shipped for: Debian's, unless it is missing."""
    return DEBIANS if os.access(DEBIANS, os.X_OK) else sys.executable


_program = functools.cache(install)
"""The command, installed once in a run."""


def gatewayd(
    python: str, *, seeing: bool = False, tls: bool = False, before: Path | None = None
) -> Subject:
    """gatewayd from this checkout, as it would be installed, under the given interpreter; `seeing`
    with a record of every port, in both forms, and metrics; or by TLS; or as another checkout has
    it, `before`."""

    def command(lines: Sequence[Line], directory: Path) -> list[str]:
        config = directory / "gatewayd.yaml"
        text = ["version: 1", f"control: {directory / 'control'}"]
        more = []
        if seeing:
            (metrics,) = free_ports(1)
            (directory / METRICS).write_text(str(metrics))
            (directory / "records").mkdir()
            text += [f"metrics: {metrics}", f"record: {{directory: {directory}/records, free: 0}}"]
            more = ["    record: both", "    pcapng: true"]
        if tls:
            text.append(f"tls: {{certificate: {CERTIFICATE}, key: {KEY}}}")
        text.append("ports:")
        for number, line in enumerate(lines):
            text += [
                f"  port{number}:",
                f"    device: {line.device}",
                f"    line: {BAUDRATE} 8N1",
                f"    rfc2217: {{listen: {line.tcp_port}, tls: implicit}}"
                if tls
                else f"    rfc2217: {line.tcp_port}",
                *([f"    watch: 127.0.0.1:{line.watched_at}"] if line.watched_at else []),
                *more,
            ]
        config.write_text("\n".join(text) + "\n")
        program = _program(python) if before is None else _program(python, before)
        return [*interpreter(python, program), str(program), "run", "-c", str(config)]

    if before is not None:
        return Subject(BEFORE, "before", True, command)
    if seeing:
        return Subject("seeing", "recording", True, command)
    if tls:
        return Subject("tls", "gatewayd", True, command, tls=True)
    return Subject("gatewayd", "gatewayd", True, command)


def ser2net(tuned: bool, *, tls: bool = False) -> Subject:
    """Debian's ser2net, as it comes or with large buffers and without its delay on input; or by
    TLS."""

    def command(lines: Sequence[Line], directory: Path) -> list[str]:
        config = directory / "ser2net.yaml"
        text = ["%YAML 1.1", "---"]
        ssl = f"ssl(key={directory / KEY},cert={directory / CERTIFICATE},readbuf={SIZE}),"
        for number, line in enumerate(lines):
            text += [f"connection: &port{number}", *_connection(line, tuned, ssl if tls else "")]
        config.write_text("\n".join(text) + "\n")
        return [SER2NET, "-n", "-c", str(config), "-P", str(directory / "ser2net.pid")]

    if tls:
        return Subject("ssl", "ser2net, tuned", True, command, tls=True)
    name = "tuned" if tuned else "ser2net"
    return Subject(name, "ser2net, tuned" if tuned else "ser2net", True, command)


SIZE = 65536
"""Of the buffers of ser2net, tuned."""


def _connection(line: Line, tuned: bool, ssl: str) -> list[str]:
    settings = f"{BAUDRATE}n81,local"
    if not tuned:
        return [
            f"  accepter: telnet(rfc2217),{ssl}tcp,127.0.0.1,{line.tcp_port}",
            f"  connector: serialdev,{line.device},{settings}",
        ]
    size = SIZE
    return [
        f"  accepter: telnet(rfc2217,readbuf={size}),{ssl}tcp(readbuf={size},nodelay),"
        f"127.0.0.1,{line.tcp_port}",
        f"  connector: serialdev(readbuf={size}),{line.device},{settings}",
        "  options:",
        "    chardelay: false",
        f"    net-to-dev-bufsize: {size}",
        f"    dev-to-net-bufsize: {size}",
    ]


def relay(tools: Tools) -> Subject:
    """The limit: a C program that moves bytes and knows no Telnet."""

    def command(lines: Sequence[Line], directory: Path) -> list[str]:
        pairs = [word for line in lines for word in (line.device, str(line.tcp_port))]
        return [str(tools.relay), *pairs]

    return Subject("relay", "C relay", False, command)


def stunnel(tools: Tools) -> Subject:
    """stunnel in front of that relay."""

    def command(lines: Sequence[Line], directory: Path) -> list[str]:
        behind = free_ports(len(lines))
        (directory / BEHIND).write_text(" ".join(map(str, behind)))
        pairs = zip(lines, behind, strict=True)
        return [str(tools.relay), *(word for line, at in pairs for word in (line.device, str(at)))]

    def front(lines: Sequence[Line], directory: Path) -> list[str]:
        config = directory / "stunnel.conf"
        behind = (directory / BEHIND).read_text().split()
        text = ["foreground = yes", "pid =", "debug = err"]
        text += ["socket = l:TCP_NODELAY=1", "socket = r:TCP_NODELAY=1"]
        for line, at in zip(lines, behind, strict=True):
            text += [f"[{line.tcp_port}]", f"accept = 127.0.0.1:{line.tcp_port}"]
            text += [f"connect = 127.0.0.1:{at}", f"cert = {directory / CERTIFICATE}"]
            text += [f"key = {directory / KEY}"]
        config.write_text("\n".join(text) + "\n")
        return [STUNNEL, str(config)]

    return Subject("stunnel", "stunnel, C relay", False, command, tls=True, front=front)
