"""The simulated instrument's language."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.demo.instrument import IDENTITY, LONGEST_COMMAND, LONGEST_QUEUE, Instrument


def test_who_it_is() -> None:
    assert Instrument().receive(b"*IDN?\n") == IDENTITY.encode() + b"\n"


@pytest.mark.parametrize(("end", "answer"), [(b"\n", b"\n"), (b"\r", b"\r\n"), (b"\r\n", b"\r\n")])
def test_ends_of_lines(end: bytes, answer: bytes) -> None:
    assert Instrument().receive(b"*OPC?" + end + b"*OPC?" + end) == (b"1" + answer) * 2


@pytest.mark.parametrize("query", [b"CURV?", b"curve?", b":WAV:DATA?", b"WAVeform:DATA?"])
def test_the_waveform_has_every_byte_value(query: bytes) -> None:
    assert Instrument().receive(query + b"\n") == b"#3256" + bytes(range(256)) + b"\n"


def test_the_voltage() -> None:
    instrument = Instrument()
    assert instrument.receive(b"VOLT?\n") == b"0.000\n"
    assert instrument.receive(b"VOLT 1.5; VOLT?; :MEASURE:VOLTAGE?\n") == b"1.500;1.500\n"
    assert instrument.receive(b"VOLTage 1e1\nVOLT?\n") == b"10.000\n"
    assert instrument.receive(b"*RST\nmeas:volt?\n") == b"0.000\n"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (b"BOGUS", b'-113,"Undefined header"'),
        (b"VOL 1", b'-113,"Undefined header"'),
        (b"*IDN", b'-113,"Undefined header"'),
        (b"VOLT", b'-109,"Missing parameter"'),
        (b"VOLT x", b'-104,"Data type error"'),
        (b"VOLT nan", b'-104,"Data type error"'),
        (b"VOLT 1e999", b'-222,"Data out of range"'),
        (b"VOLT -1", b'-222,"Data out of range"'),
        (b"\xff\xfe", b'-113,"Undefined header"'),
        (b"x" * (LONGEST_COMMAND + 1), b'-363,"Input buffer overrun"'),
    ],
)
def test_errors_wait_in_a_queue(command: bytes, error: bytes) -> None:
    instrument = Instrument()
    assert instrument.receive(command + b"\n") == b""
    assert instrument.receive(b"SYST:ERR?\n") == error + b"\n"
    assert instrument.receive(b"SYSTEM:ERROR?\n") == b'0,"No error"\n'
    assert instrument.receive(b"VOLT?\n") == b"0.000\n"


def test_the_queue_of_errors_is_bounded() -> None:
    instrument = Instrument()
    instrument.receive(b"BOGUS\n" * (LONGEST_QUEUE + 5))
    answers = instrument.receive(b"SYST:ERR?\n" * (LONGEST_QUEUE + 1)).splitlines()
    assert answers[:-2] == [b'-113,"Undefined header"'] * (LONGEST_QUEUE - 1)
    assert answers[-2:] == [b'-350,"Queue overflow"', b'0,"No error"']


def test_the_event_status() -> None:
    instrument = Instrument()
    assert instrument.receive(b"*ESR?;*ESR?\n") == b"128;0\n"
    assert instrument.receive(b"BOGUS;VOLT 99;*OPC;*ESR?;*ESR?\n") == b"49;0\n"
    assert instrument.receive(b"BOGUS;*CLS;*ESR?;SYST:ERR?\n") == b'0;0,"No error"\n'


COMMANDS = st.lists(
    st.one_of(
        st.sampled_from([b"*IDN?", b"VOLT 3", b"VOLT?", b";", b"\n", b"\r\n", b"CURV?", b"?"]),
        st.binary(max_size=20),
        st.integers(200, 600).map(lambda size: b"x" * size),
    )
).map(b"".join)


@given(COMMANDS, st.lists(st.integers(0, 1000)))
def test_chunks_do_not_matter(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole, pieces = Instrument(), Instrument()
    answers = [pieces.receive(data[one:other]) for one, other in pairwise(edges)]
    assert b"".join(answers) == whole.receive(data)
