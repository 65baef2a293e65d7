"""What every test of TLS gets: a look for sockets left open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.line.descriptors import none_left_open


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    with none_left_open():
        yield
