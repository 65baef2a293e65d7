"""A running gatewayd with an instrument behind it, for foreign clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.instrument import bare_line, socat_line
from tests.interop.served import Served, program, serve
from tests.web.browser import Browser, chromium

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is an interop test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium."""
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


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
