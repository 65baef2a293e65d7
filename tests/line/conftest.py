"""What every test of the line gets: a PTY, and a look for descriptors left open."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from tests.line.pty import Pty


def open_descriptors() -> set[tuple[str, str]]:
    """Number and target of each open descriptor."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue
    return found


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    before = open_descriptors()
    yield
    gc.collect()
    assert open_descriptors() - before == set()


@pytest.fixture
def pty() -> Iterator[Pty]:
    """A pseudo terminal."""
    with Pty() as pair:
        yield pair
