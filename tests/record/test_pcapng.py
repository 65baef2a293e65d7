"""Packets of chunks, and a real tshark that reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.line.model import Signal
from gatewayd.record import pcapng
from gatewayd.record.pcapng import LONGEST, PAUSE_S, Event, Packets, ends_well, header, packet
from gatewayd.record.side import Side
from tests.record import tshark
from tests.record.modbus import DECODED, QUERY, RESPONSE
from tests.record.tshark import needs_tshark

HEADER = header("plc", "/dev/ttyUSB0, 9600 8N1", "gatewayd 1")
WHEN = 1764058323.118
SHOWN = ("rtacser.eventtype", "frame.packet_flags_direction", "data.data", "frame.comment")


def of(*blocks: bytes, at: Path) -> Path:
    at.write_bytes(HEADER + b"".join(blocks))
    return at


@needs_tshark
def test_a_dialogue(tmp_path: Path) -> None:
    packets = Packets()
    file = of(
        packets.said(Side.CLIENT, b"*IDN?\n", WHEN),
        packets.said(Side.DEVICE, b"GATEWAYD,", WHEN + 0.01),
        packets.said(Side.DEVICE, b"DEMO\r\n", WHEN + 0.02),
        packets.happened(Event.BREAK, WHEN + 1, "break received"),
        packets.flush(),
        at=tmp_path / "a.pcapng",
    )
    assert tshark.fields(file, *SHOWN) == [
        ("0x01", "0x00000002", b"*IDN?\n".hex(), ""),
        ("0x02", "0x00000001", b"GATEWAYD,DEMO\r\n".hex(), ""),
        ("0x09", "0x00000001", "", "break received"),
    ]
    times = [float(time) for (time,) in tshark.fields(file, "frame.time_epoch")]
    assert times == pytest.approx([WHEN, WHEN + 0.01, WHEN + 1], abs=1e-6)
    assert tshark.fields(file, "frame.interface_name", "frame.interface_description")[0] == (
        "plc",
        "/dev/ttyUSB0, 9600 8N1",
    )
    assert "alformed" not in tshark.run(file, "-V")


@needs_tshark
def test_modem_lines_and_errors(tmp_path: Path) -> None:
    packets = Packets(Signal.DTR | Signal.RTS)
    file = of(
        packets.signals(Signal.RTS | Signal.CTS | Signal.RI, WHEN, "DTR off"),
        packets.happened(Event.FRAMING_ERROR, WHEN, "framing error"),
        packets.happened(Event.PARITY_ERROR, WHEN, "2 parity errors"),
        packets.happened(Event.OVERFLOW, WHEN, "overrun"),
        packets.happened(Event.DATA_LOST, WHEN, "4096 bytes not recorded"),
        at=tmp_path / "a.pcapng",
    )
    lines = ("cts", "dcd", "dsr", "rts", "dtr", "ring")
    names = [f"rtacser.{line}" for line in lines]
    assert tshark.fields(file, *names)[0] == ("1", "0", "0", "1", "0", "1")
    events = [event for (event,) in tshark.fields(file, "rtacser.eventtype")]
    assert events == ["0x00", "0x07", "0x08", "0x0a", "0x05"]
    summary = tshark.run(file, "-V")
    assert "alformed" not in summary
    assert "CAPTURE_DATA_LOST" in summary


@needs_tshark
def test_modbus_that_comes_in_pieces_is_decoded(tmp_path: Path) -> None:
    packets = Packets()
    written = packets.said(Side.CLIENT, QUERY, WHEN)
    for number, byte in enumerate(RESPONSE):
        written += packets.said(Side.DEVICE, bytes((byte,)), WHEN + 0.03 + number * 0.01)
    file = of(written, packets.flush(), at=tmp_path / "plc.pcapng")
    decoded = tshark.run(file, "-d", "rtacser.data,mbrtu")
    for line in DECODED:
        assert line in decoded


def test_a_pause_or_the_other_side_ends_a_packet() -> None:
    packets = Packets()
    assert packets.said(Side.DEVICE, b"a", 1) == b""
    assert packets.said(Side.DEVICE, b"b", 1 + PAUSE_S / 2) == b""
    assert packets.said(Side.DEVICE, b"c", 2) == packet(Event.DATA_RX, 1, data=b"ab")
    assert packets.said(Side.CLIENT, b"d", 2) == packet(Event.DATA_RX, 2, data=b"c")
    assert packets.open
    assert packets.flush() == packet(Event.DATA_TX, 2, data=b"d", outbound=True)
    assert not packets.open


def test_a_packet_does_not_grow_without_end() -> None:
    packets = Packets()
    packets.said(Side.DEVICE, b"a" * LONGEST, 1)
    assert packets.said(Side.DEVICE, b"b", 1) == packet(Event.DATA_RX, 1, data=b"a" * LONGEST)


@given(st.lists(st.binary(max_size=50), min_size=1), st.integers(1, 40))
def test_what_a_crash_cut_is_found(contents: list[bytes], cut: int) -> None:
    blocks = [packet(Event.DATA_RX, WHEN, data=data, comment="c") for data in contents]
    data = HEADER + b"".join(blocks)

    def read(at: int, length: int) -> bytes:
        return data[at : at + length]

    assert ends_well(len(data), read)
    assert pcapng.sound_length(len(data), read) == len(data)
    cut = min(cut, len(blocks[-1]) - 1)
    assert not ends_well(len(data) - cut, read)
    assert pcapng.sound_length(len(data) - cut, read) == len(data) - len(blocks[-1])


@given(st.binary(max_size=100))
def test_no_file_is_too_strange(data: bytes) -> None:
    def read(at: int, length: int) -> bytes:
        return data[at : at + length]

    ends_well(len(data), read)
    assert pcapng.sound_length(len(data), read) <= len(data)


@needs_tshark
def test_two_sections_in_one_file(tmp_path: Path) -> None:
    first = packet(Event.DATA_RX, WHEN, data=b"one")
    second = header("plc", "another device", "gatewayd 2")
    file = of(first, second, packet(Event.DATA_RX, WHEN, data=b"two"), at=tmp_path / "a.pcapng")
    assert [data for (data,) in tshark.fields(file, "data.data")] == [b"one".hex(), b"two".hex()]
