"""The gateways that are compared, and how each is started on a set of lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.toolchain import PROJECT, SER2NET, Tools

BAUDRATE = 115200


@dataclass(frozen=True, slots=True)
class Line:
    """One line to serve: its tty and the TCP port on 127.0.0.1 where clients find it."""

    device: str
    tcp_port: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A gateway under test. `command` writes its files into a directory and gives its argv."""

    name: str
    title: str
    telnet: bool
    command: Callable[[Sequence[Line], Path], list[str]]


def system_python() -> str:
    """The interpreter gatewayd is shipped for: Debian's, unless it is missing."""
    return "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable


def gatewayd(python: str) -> Subject:
    """gatewayd from this checkout, under the given interpreter."""

    def command(lines: Sequence[Line], directory: Path) -> list[str]:
        config = directory / "gatewayd.yaml"
        text = ["version: 1", f"control: {directory / 'control'}", "ports:"]
        for number, line in enumerate(lines):
            text += [
                f"  port{number}:",
                f"    device: {line.device}",
                f"    line: {BAUDRATE} 8N1",
                f"    rfc2217: 127.0.0.1:{line.tcp_port}",
            ]
        config.write_text("\n".join(text) + "\n")
        return [python, "-m", "gatewayd", "run", "-c", str(config)]

    return Subject("gatewayd", "gatewayd", True, command)


def ser2net(tuned: bool) -> Subject:
    """Debian's ser2net, as it comes or with large buffers and without its delay on input."""

    def command(lines: Sequence[Line], directory: Path) -> list[str]:
        config = directory / "ser2net.yaml"
        text = ["%YAML 1.1", "---"]
        for number, line in enumerate(lines):
            text += [f"connection: &port{number}", *_connection(line, tuned)]
        config.write_text("\n".join(text) + "\n")
        return [SER2NET, "-n", "-c", str(config), "-P", str(directory / "ser2net.pid")]

    name = "tuned" if tuned else "ser2net"
    return Subject(name, "ser2net, tuned" if tuned else "ser2net", True, command)


def _connection(line: Line, tuned: bool) -> list[str]:
    settings = f"{BAUDRATE}n81,local"
    if not tuned:
        return [
            f"  accepter: telnet(rfc2217),tcp,127.0.0.1,{line.tcp_port}",
            f"  connector: serialdev,{line.device},{settings}",
        ]
    size = 65536
    return [
        f"  accepter: telnet(rfc2217,readbuf={size}),tcp(readbuf={size},nodelay),"
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


def environment() -> dict[str, str]:
    """The environment of every subject: gatewayd is taken from this checkout."""
    return {**os.environ, "PYTHONPATH": str(PROJECT)}
