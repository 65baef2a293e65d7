"""A running gatewayd with an instrument behind it, and the programs that talk to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.cli.program import ROOT
from tests.interop.gateway import Gateway
from tests.interop.instrument import Instrument

FETCHED: Final = ROOT / ".venv/fetched"
"""Where `./dev test` puts foreign sources and programs."""


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


def program(name: str, directory: Path | None = None) -> str:
    """The path of a program, in PATH or in `directory`; without it the test is skipped."""
    path = shutil.which(name)
    if path is None and directory is not None:
        path = shutil.which(name, path=directory)
    if path is None:
        pytest.skip(f"{name} is not installed; ./dev test installs it")
    return path
