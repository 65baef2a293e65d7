"""The Telnet engine, byte by byte and as a whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.telnet.constants import Command, Option, Side
from gatewayd.telnet.doubling import double_iac, undouble_iac
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.events import (
    ControlFunction,
    Event,
    OptionChanged,
    Subnegotiation,
    TimingMarkRequested,
    Violation,
)
from gatewayd.telnet.pyserial import PyserialEngine

WELCOME = (Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.STATUS, Option.LOGOUT)
DO_BINARY, DONT_BINARY = b"\xff\xfd\x00", b"\xff\xfe\x00"
WILL_BINARY, WONT_BINARY = b"\xff\xfb\x00", b"\xff\xfc\x00"
WILL_COM_PORT, DO_COM_PORT = b"\xff\xfb\x2c", b"\xff\xfd\x2c"

# Bytes in which commands, split commands and doubled IACs are frequent.
TELNETISH = st.lists(
    st.one_of(
        st.binary(max_size=4),
        st.sampled_from([bytes((255, n)) for n in range(236, 256)]),
        st.sampled_from([b"\xff", b"\xff\xff" * 40, b"\r", b"\0", b"\n", b"\xff\xfa\x2c"]),
        st.builds(
            lambda verb, option: bytes((255, verb, option)),
            st.integers(251, 254),
            st.sampled_from([0, 1, 3, 5, 6, 18, 44, 99, 255]),
        ),
    ),
    max_size=30,
).map(b"".join)


def server() -> TelnetEngine:
    """The one that serves, which is the plain one for all but pyserial."""
    return PyserialEngine(local=WELCOME, remote=(*WELCOME, Option.COM_PORT))


def binary() -> TelnetEngine:
    engine = server()
    engine.receive_data(WILL_BINARY + DO_BINARY + WILL_COM_PORT)
    engine.data_to_send()
    return engine


def data_of(events: Sequence[Event]) -> bytes:
    return b"".join(event for event in events if isinstance(event, bytes))


def merged(events: Sequence[Event]) -> list[Event]:
    """The events with neighbouring data joined: what chunking may not change."""
    out: list[Event] = []
    for event in events:
        if isinstance(event, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += event
        else:
            out.append(event)
    return out


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def test_a_chunk_without_iac_is_passed_on_uncopied() -> None:
    chunk = b"*IDN?\n" * 100
    assert binary().receive_data(chunk)[0] is chunk


def test_every_byte_value_passes_both_ways() -> None:
    everything = bytes(range(256))
    assert data_of(binary().receive_data(binary().encode(everything))) == everything


@given(st.binary())
def test_doubling(data: bytes) -> None:
    assert double_iac(data) == data.replace(b"\xff", b"\xff\xff")
    assert double_iac(b"\xff" * len(data)) == b"\xff" * (2 * len(data))


RUNS = st.lists(st.sampled_from([b"\xff", b"\xff" * 64, b"a"])).map(b"".join)


@given(st.binary() | RUNS)
def test_doubling_is_undone_where_there_is_nothing_else(data: bytes) -> None:
    single = b"\xff" in data.replace(b"\xff\xff", b"")
    found = undouble_iac(data)
    assert (found is None) == single
    if found is not None:
        assert double_iac(found) == data


@given(TELNETISH, TELNETISH, st.booleans())
def test_who_is_transparent_need_not_be_asked_what_is_doubled(
    before: bytes, data: bytes, agreed: bool
) -> None:
    engine = binary() if agreed else server()
    engine.receive_data(before)
    engine.data_to_send()
    found = undouble_iac(data)
    if engine.transparent and found is not None:
        state = engine.snapshot()
        assert engine.receive_data(data) == ([found] if data else [])
        assert engine.transparent
        assert engine.snapshot() == state


@given(TELNETISH, st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_chunking_never_matters(data: bytes, cuts: list[int], agreed: bool) -> None:
    whole, pieces = (binary(), binary()) if agreed else (server(), server())
    expected = whole.receive_data(data)
    got = [event for piece in split(data, cuts) for event in pieces.receive_data(piece)]
    assert merged(got) == merged(expected)
    assert pieces.data_to_send() == whole.data_to_send()
    assert pieces.snapshot() == whole.snapshot()


@given(TELNETISH, st.integers(1, 5), st.booleans())
def test_taking_few_commands_at_once_changes_nothing(data: bytes, most: int, agreed: bool) -> None:
    whole, slowly = (binary(), binary()) if agreed else (server(), server())
    got: list[Event] = []
    expected, left = whole.receive_data(data), data
    while left:
        events = slowly.receive_data(left, most)
        assert sum(not isinstance(event, bytes) for event in events) <= 2 * most
        got += events
        left = slowly.left
    assert merged(got) == merged(expected)
    assert slowly.data_to_send() == whole.data_to_send()
    assert slowly.snapshot() == whole.snapshot()


ASKS = st.tuples(st.sampled_from(Side), st.sampled_from([0, 1, 3, 44]), st.booleans())


@given(st.lists(ASKS, max_size=8), st.booleans(), TELNETISH)
def test_to_begin_is_to_ask_for_each(
    asks: list[tuple[Side, int, bool]], agreed: bool, data: bytes
) -> None:
    begun, asked = (binary(), binary()) if agreed else (server(), server())
    begun.begin(tuple(asks))
    for side, option, enable in asks:
        asked.ask(side, option, enable=enable)
    assert begun.data_to_send() == asked.data_to_send()
    assert begun.receive_data(data) == asked.receive_data(data)
    assert begun.snapshot() == asked.snapshot()


@given(st.lists(st.binary(min_size=1), max_size=8), st.booleans())
def test_what_is_encoded_decodes(chunks: list[bytes], agreed: bool) -> None:
    sender, receiver = (binary(), binary()) if agreed else (server(), server())
    wire = b"".join(sender.encode(chunk) for chunk in chunks)
    assert data_of(receiver.receive_data(wire)) == b"".join(chunks)


@given(TELNETISH, st.lists(st.integers(0, 10_000), max_size=6))
def test_a_hand_over_in_mid_stream_changes_nothing(data: bytes, cuts: list[int]) -> None:
    one = binary()
    expected = merged(one.receive_data(data))
    current = binary()
    got: list[Event] = []
    for piece in split(data, cuts):
        got += current.receive_data(piece)
        successor = server()
        successor.restore(json.loads(json.dumps(current.snapshot())))
        current = successor
    assert merged(got) == expected


# ---- options


def test_an_unknown_option_is_refused_with_one_answer() -> None:
    engine = server()
    assert engine.receive_data(b"\xff\xfb\x63\xff\xfd\x63") == []
    assert engine.data_to_send() == b"\xff\xfe\x63\xff\xfc\x63"


def test_an_acknowledgement_is_not_answered() -> None:
    engine = server()
    engine.ask(Side.LOCAL, Option.BINARY, enable=True)
    assert engine.data_to_send() == WILL_BINARY
    assert engine.receive_data(DO_BINARY * 2) == [OptionChanged(Side.LOCAL, Option.BINARY, True)]
    assert engine.data_to_send() == b""


def test_a_refused_offer_stays_refused_without_a_word() -> None:
    engine = server()
    engine.ask(Side.LOCAL, Option.SUPPRESS_GO_AHEAD, enable=True)
    engine.data_to_send()
    assert engine.receive_data(b"\xff\xfe\x03") == []
    assert engine.data_to_send() == b""


def test_an_option_byte_is_taken_literally() -> None:
    engine = binary()
    assert engine.receive_data(b"\xff\xfc\xffhello") == [b"hello"]
    assert engine.data_to_send() == b""


def test_com_port_is_the_peers_option_only() -> None:
    engine = server()
    engine.receive_data(DO_COM_PORT)
    assert engine.data_to_send() == b"\xff\xfc\x2c"
    engine.receive_data(WILL_COM_PORT)
    assert engine.data_to_send() == DO_COM_PORT


def test_pyserial_that_asks_for_com_port_and_uses_it_has_agreed() -> None:
    engine = server()
    engine.ask(Side.REMOTE, Option.COM_PORT, enable=True)
    query = b"\xff\xfa\x2c\x01\0\0\0\0\xff\xf0"
    (violation,) = engine.receive_data(query)
    assert isinstance(violation, Violation)
    agreed, request = engine.receive_data(DO_COM_PORT + query)
    assert agreed == OptionChanged(Side.REMOTE, Option.COM_PORT, True)
    assert request == Subnegotiation(Option.COM_PORT, b"\x01\0\0\0\0")


def test_a_client_that_refused_com_port_has_not_agreed() -> None:
    engine = server()
    engine.ask(Side.REMOTE, Option.COM_PORT, enable=True)
    events = engine.receive_data(DO_COM_PORT + b"\xff\xfc\x2c\xff\xfa\x2c\x01\xff\xf0")
    assert [type(event) for event in events] == [Violation]


def test_status_lists_what_is_on() -> None:
    engine = binary()
    engine.receive_data(b"\xff\xfd\x05")
    engine.data_to_send()
    engine.receive_data(b"\xff\xfa\x05\x01\xff\xf0")
    answer = engine.data_to_send()
    assert answer[:4] == b"\xff\xfa\x05\x00"
    assert answer[-2:] == b"\xff\xf0"
    pairs = {(answer[i], answer[i + 1]) for i in range(4, len(answer) - 2, 2)}
    assert pairs == {
        (Command.WILL, Option.BINARY),
        (Command.DO, Option.BINARY),
        (Command.DO, Option.COM_PORT),
        (Command.WILL, Option.STATUS),
    }


def test_each_timing_mark_is_one_question() -> None:
    engine = binary()
    events = engine.receive_data(b"a\xff\xfd\x06b\xff\xfd\x06")
    assert events == [b"a", TimingMarkRequested(), b"b", TimingMarkRequested()]
    assert engine.data_to_send() == b""
    engine.send_timing_mark()
    assert engine.data_to_send() == b"\xff\xfb\x06"
    engine.receive_data(b"\xff\xfb\x06\xff\xfc\x06\xff\xfe\x06")
    assert engine.data_to_send() == b"\xff\xfe\x06"


# ---- NVT


def test_cr_nul_reaches_us_as_cr_and_only_without_binary() -> None:
    assert data_of(server().receive_data(b"a\r\0b\r\nc")) == b"a\rb\r\nc"
    assert data_of(binary().receive_data(b"a\r\0b\r\nc")) == b"a\r\0b\r\nc"


def test_a_bare_cr_goes_out_as_cr_nul_and_only_without_binary() -> None:
    engine = server()
    assert engine.encode(b"a\rb\r\nc\r") == b"a\r\0b\r\nc\r"
    assert engine.encode(b"\n") == b"\n"
    assert engine.encode(b"\r") == b"\r"
    assert engine.encode(b"d") == b"\0d"
    assert binary().encode(b"a\rb") == b"a\rb"


def test_the_nul_of_a_waiting_cr_comes_before_binary() -> None:
    engine = server()
    assert engine.encode(b"\r") == b"\r"
    engine.receive_data(DO_BINARY)
    assert engine.data_to_send() == b"\0" + WILL_BINARY


@given(
    st.lists(
        st.sampled_from(
            [b"X", b"\r", b"\0", b"\n", b"\xff\xff", b"\xff\xf6", b"\xff\xfa\x2c", b"\xff\xf0"]
        )
    ).map(b"".join),
    st.lists(st.integers(1, 5)),
    st.booleans(),
)
def test_what_is_put_back_is_received_as_it_was(sent: bytes, sizes: list[int], nvt: bool) -> None:
    make = server if nvt else binary
    as_it_is = data_of(make().receive_data(sent))
    engine = make()
    got = bytearray()
    for size in sizes:
        piece, sent = sent[:size], sent[size:]
        data = data_of(engine.receive_data(piece))
        again = data_of(engine.receive_data(engine.undecode(data)))
        assert again == data
        got += again
    assert got + data_of(engine.receive_data(sent)) == as_it_is


# ---- subnegotiations


def test_a_doubled_iac_in_a_subnegotiation_is_one_byte() -> None:
    events = binary().receive_data(b"\xff\xfa\x2c\x0b\xff\xff\xff\xf0x")
    assert events == [Subnegotiation(Option.COM_PORT, b"\x0b\xff"), b"x"]


def test_a_subnegotiation_at_the_limit_passes_and_one_beyond_is_skipped() -> None:
    engine = TelnetEngine(remote=[Option.COM_PORT])
    engine.limit(Option.COM_PORT, 10)
    engine.receive_data(WILL_COM_PORT)
    nine = b"\xff\xfa\x2c" + b"x" * 9 + b"\xff\xf0"
    ten = b"\xff\xfa\x2c" + b"x" * 10 + b"\xff\xf0"
    assert engine.receive_data(nine + b"a") == [Subnegotiation(44, b"x" * 9), b"a"]
    violation, after = engine.receive_data(ten + b"b")
    assert isinstance(violation, Violation)
    assert after == b"b"


def test_an_endless_subnegotiation_keeps_no_memory_and_ends_with_the_next_command() -> None:
    engine = binary()
    engine.receive_data(b"\xff\xfa\x2c")
    events = [event for _ in range(100) for event in engine.receive_data(b"x" * 10_000)]
    assert len(events) == 1
    assert len(json.dumps(engine.snapshot())) < 4000
    assert engine.receive_data(b"\xff\xf6y") == [ControlFunction(Command.AYT), b"y"]


def test_an_unended_subnegotiation_is_reported_and_harms_nothing_after_it() -> None:
    events = binary().receive_data(b"\xff\xfa\x2c\x01\xff\xfb\x63data")
    assert isinstance(events[0], Violation)
    assert events[1:] == [b"data"]


def test_a_subnegotiation_of_an_option_that_is_off_does_nothing() -> None:
    events = server().receive_data(b"\xff\xfa\x2c\x01\0\0\x25\x80\xff\xf0z")
    assert isinstance(events[0], Violation)
    assert events[1:] == [b"z"]


def test_a_stray_se_is_reported_and_skipped() -> None:
    events = binary().receive_data(b"a\xff\xf0b")
    assert isinstance(events[1], Violation)
    assert (events[0], events[2]) == (b"a", b"b")


# ---- Synch


def test_a_synch_discards_data_before_its_mark_and_keeps_commands() -> None:
    engine = binary()
    engine.urgent()
    events = engine.receive_data(b"lost\xff\xf6lost\xff\xf2kept")
    assert events == [ControlFunction(Command.AYT), ControlFunction(Command.DM), b"kept"]


@pytest.mark.parametrize("erases", [Command.EC, Command.EL])
def test_a_synch_discards_what_edits_data_with_the_data(erases: Command) -> None:
    engine = binary()
    engine.urgent()
    erase = bytes((255, erases))
    events = engine.receive_data(b"lost" + erase + b"\xff\xf2" + erase)
    assert events == [ControlFunction(Command.DM), ControlFunction(erases)]


def test_a_data_mark_without_urgency_discards_nothing() -> None:
    events = binary().receive_data(b"a\xff\xf2b")
    assert data_of(events) == b"ab"


# ---- two engines


REQUESTS = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from([Side.LOCAL, Side.REMOTE]),
        st.sampled_from([Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.ECHO, 99]),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=25,
)


@given(REQUESTS)
def test_two_engines_settle(requests: list[tuple[bool, Side, int, bool, int]]) -> None:
    """Whatever both ask for, and however the requests cross, they end up agreeing."""
    engines = (server(), server())
    wires: tuple[list[bytes], list[bytes]] = ([], [])

    def flush(who: int) -> None:
        out = engines[who].data_to_send()
        if out:
            wires[who].append(out)

    def deliver(who: int, count: int) -> int:
        delivered = wires[who][:count]
        del wires[who][:count]
        for chunk in delivered:
            engines[1 - who].receive_data(chunk)
        flush(1 - who)
        return len(delivered)

    for second, side, option, enable, progress in requests:
        engines[second].ask(side, option, enable=enable)
        flush(second)
        deliver(second, progress)
        deliver(1 - second, progress // 2)
    moves = 0
    while deliver(0, 1) or deliver(1, 1):
        moves += 1
        assert moves < 1000, "negotiation loops"
    for option in (Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.ECHO, 99):
        for who in (0, 1):
            ours = engines[who].is_enabled(Side.LOCAL, option)
            theirs = engines[1 - who].is_enabled(Side.REMOTE, option)
            assert ours == theirs


@pytest.mark.parametrize("option", [Option.ECHO, 99])
def test_what_is_not_welcome_never_gets_on_by_the_peers_wish(option: int) -> None:
    engine = server()
    engine.receive_data(bytes((255, 253, option, 255, 251, option)) * 3)
    assert not engine.is_enabled(Side.LOCAL, option)
    assert not engine.is_enabled(Side.REMOTE, option)
