"""The parts of the desk by themselves: which port is meant, lines, the escape, the list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.desk.choice import choose
from gatewayd.desk.escape import Escape, Key, written
from gatewayd.desk.keyboard import LONGEST, LineReader, TooLong
from gatewayd.desk.listing import Entry, plain, table

NAMES = ["psu1", "psu10", "dut-a", "7", "scope"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *[("psu1", "psu1"), ("psu10", "psu10"), ("d", "dut-a"), ("scope", "scope")],
        *[("1", "psu1"), ("3", "dut-a"), ("5", "scope")],
        # A name is before a number.
        ("7", "7"),
    ],
)
def test_a_port_is_meant(text: str, name: str) -> None:
    assert choose(text, NAMES) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("psu", "which of psu1, psu10?"),
        ("x", "there is no port 'x'"),
        ("", "there is no port ''"),
        ("0", "there is no port '0'"),
        ("6", "there is no port '6'"),
        ("99999999999", "there is no port"),
        ("\u00b2", "there is no port"),
        ("PSU1", "there is no port"),
    ],
)
def test_no_port_is_meant(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("?", r"\?")):
        choose(text, NAMES)


def typed(data: bytes) -> tuple[list[str], bytes]:
    reader, lines, echo = LineReader(), [], b""
    for at in range(len(data)):
        line = reader.feed(data[at : at + 1])
        echo += reader.echo
        if line is not None:
            lines.append(line)
    return lines, echo


@pytest.mark.parametrize("enter", [b"\r\n", b"\r\0", b"\r", b"\n"])
def test_enter_is_whatever_clients_send_for_it(enter: bytes) -> None:
    assert typed(b"psu1" + enter + b"2" + enter + enter)[0] == ["psu1", "2", ""]


def test_what_is_typed_can_be_taken_back() -> None:
    assert typed(b"ab\x7fc\x08\x08\x08d\r") == (["d"], b"ab\b \bc\b \b\b \bd\r\n")
    assert typed(b"abc\x15d\r") == (["d"], b"abc" + b"\b \b" * 3 + b"d\r\n")


def test_other_keys_do_nothing_and_the_end_of_a_file_leaves() -> None:
    assert typed(b"\x1b[A\x01\xe4\r")[0] == ["[A\ufffd"]
    assert typed(b"a\x04\x7f\x04")[0] == ["quit"]


def test_a_line_has_an_end() -> None:
    assert typed(b"x" * LONGEST + b"\r")[0] == ["x" * LONGEST]
    with pytest.raises(TooLong):
        typed(b"x" * (LONGEST + 1))


def test_the_escape() -> None:
    escape = Escape(b"\x05c")
    assert escape.feed(b"abc") == [b"abc"]
    assert escape.feed(b"a\x05cwb\x05c\x05d") == [b"a", Key("w"), b"b", b"\x05", b"d"]
    assert escape.feed(b"\x05") == []
    assert [escape.held] == [True]
    assert escape.release() == b"\x05"
    assert escape.feed(b"c") == [b"c"]
    assert escape.feed(b"\x05x\x05\x05c?") == [b"\x05", b"x", b"\x05", Key("?")]
    assert not escape.held
    assert escape.release() == b""


def test_an_escape_of_one_key_and_none() -> None:
    escape = Escape(b"\x1d")
    assert escape.feed(b"a\x1d.b\x1d\x1dc") == [b"a", Key("."), b"b", b"\x1d", b"c"]
    assert Escape(b"").feed(b"\x05c\x1d") == [b"\x05c\x1d"]
    assert (written(b"\x05c"), written(b"\x1d")) == ("^Ec", "^]")


@given(st.lists(st.sampled_from([b"\x05", b"c", b"x", b".", b"ab"]), max_size=30), st.data())
def test_however_it_is_split_the_escape_is_the_same(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(parts)
    pieces = Escape(b"\x05c")
    got: list[bytes | Key] = []
    rest = whole
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        got += pieces.feed(rest[:size])
        rest = rest[size:]

    def joined(some: list[bytes | Key]) -> list[bytes | Key]:
        result: list[bytes | Key] = []
        for one in some:
            if isinstance(one, bytes) and result and isinstance(result[-1], bytes):
                result[-1] += one
            else:
                result.append(one)
        return result

    assert joined(got) == joined(Escape(b"\x05c").feed(whole) if whole else [])


def test_the_list() -> None:
    entries = [
        Entry("psu1", "held", "alice since 09:12", "bench supply, rack 2"),
        Entry("scope", "free", "", "oszilloskop f\u00fcr Bank 4\x1b[2J"),
    ]
    assert table(entries) == [
        "  1   psu1    held   alice since 09:12   bench supply, rack 2",
        "  2   scope   free                       oszilloskop f?r Bank 4?[2J",
    ]
    assert [len(line) for line in table(entries, 10)] == [40, 40]
    assert table([]) == []
    assert plain("a\r\nb") == "a??b"
