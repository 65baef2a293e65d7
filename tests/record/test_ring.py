"""The last bytes of a device."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatewayd.record.ring import Ring


def test_it_keeps_the_last_bytes() -> None:
    ring = Ring(10)
    ring.from_line(b"0123")
    assert ring.last() == b"0123"
    ring.to_line(b"not kept")
    ring.from_line(b"456789abc")
    assert ring.last() == b"3456789abc"


@given(st.lists(st.integers(1, 20_000)))
def test_its_memory_is_bounded(sizes: list[int]) -> None:
    ring = Ring(4096)
    kept = b""
    for number, size in enumerate(sizes):
        data = bytes((number % 251,)) * size
        ring.from_line(data)
        kept = (kept + data)[-4096:]
        assert ring.last() == kept
        assert len(ring.data) <= 4096 + 8192


def test_another_size() -> None:
    ring = Ring(8)
    ring.from_line(b"01234567")
    ring.resize(4)
    assert ring.last() == b"4567"
    ring.from_line(b"8")
    assert ring.last() == b"5678"
