"""A running gatewayd with an instrument behind it, for foreign clients."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.gateway import ROOT, Gateway
from tests.interop.instrument import Instrument, bare_line, socat_line

HERE = Path(__file__).parent
FETCHED = ROOT / ".venv/fetched"
"""Where `./dev test` puts foreign sources and programs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is an interop test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)


@dataclass(frozen=True)
class Served:
    """One served line: where its faces are, what is behind it, and the process between."""

    rfc2217: int
    raw: int
    instrument: Instrument
    gateway: Gateway


def serve(device: Path, instrument: Instrument, *more: str) -> Iterator[Served]:
    """Serve `device` on both faces."""
    faces = ["--rfc2217", "127.0.0.1:0", "--raw", "127.0.0.1:0"]
    with Gateway("serve", "--device", str(device), *faces, *more, faces=2) as gateway:
        yield Served(gateway.port("rfc2217"), gateway.port("raw"), instrument, gateway)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A gateway on a pair of PTYs joined by socat."""
    program("socat")
    with socat_line(tmp_path) as (device, instrument):
        yield from serve(device, instrument)


@pytest.fixture
def served_pty() -> Iterator[Served]:
    """A gateway on one PTY; `instrument.termios()` tells what it is set to."""
    with bare_line() as (device, instrument):
        yield from serve(device, instrument)


def program(name: str, directory: Path | None = None) -> str:
    """The path of a program, in PATH or in `directory`; without it the test is skipped."""
    path = shutil.which(name)
    if path is None and directory is not None:
        path = shutil.which(name, path=directory)
    if path is None:
        pytest.skip(f"{name} is not installed; ./dev test installs it")
    return path
