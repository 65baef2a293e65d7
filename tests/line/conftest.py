"""What every test of the line gets: a PTY, and a look for descriptors left open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.line.descriptors import none_left_open
from tests.line.pty import Pty


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    with none_left_open():
        yield


@pytest.fixture
def pty() -> Iterator[Pty]:
    """A pseudo terminal."""
    with Pty() as pair:
        yield pair
