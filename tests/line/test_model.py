"""The values of a line."""

from __future__ import annotations

import pytest

from gatewayd.line.model import LineSettings, Parity, StopBits


@pytest.mark.parametrize(
    ("settings", "bits"),
    [
        (LineSettings(), 10),
        (LineSettings(bytesize=7, parity=Parity.EVEN), 10),
        (LineSettings(parity=Parity.MARK, stopbits=StopBits.TWO), 12),
        (LineSettings(bytesize=5, stopbits=StopBits.ONE_POINT_FIVE), 7.5),
    ],
)
def test_bits_on_the_wire(settings: LineSettings, bits: float) -> None:
    assert settings.bits_per_character == bits
    assert settings.bytes_per_second == settings.baudrate / bits


@pytest.mark.parametrize(
    ("baudrate", "limit"),
    [(50, 256), (9600, 256), (115200, 2880), (921600, 23040), (4000000, 65536)],
)
def test_a_quarter_second_may_wait_within_limits(baudrate: int, limit: int) -> None:
    assert LineSettings(baudrate=baudrate).unsent_limit == limit


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (LineSettings(), "9600 8N1"),
        (LineSettings(115200, 7, Parity.EVEN, StopBits.TWO), "115200 7E2"),
        (LineSettings(50, 5, Parity.SPACE, StopBits.ONE_POINT_FIVE), "50 5S1.5"),
        (LineSettings(rtscts=True), "9600 8N1 rtscts"),
        (LineSettings(ixon=True, ixoff=True), "9600 8N1 xonxoff"),
        (LineSettings(ixon=True), "9600 8N1 ixon"),
        (LineSettings(ixoff=True, rtscts=True), "9600 8N1 rtscts ixoff"),
    ],
)
def test_the_short_form(settings: LineSettings, text: str) -> None:
    assert str(settings) == text
