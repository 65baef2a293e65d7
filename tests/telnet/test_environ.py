"""What clients say of themselves, as RFC 1572 writes it: bounded, and never believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatewayd.telnet.environ import (
    LONGEST_NAME,
    LONGEST_VALUE,
    MOST_VARIABLES,
    Variable,
    ask,
    decode,
    user_name,
)


def test_only_what_is_named_is_asked_for() -> None:
    assert ask("USER") == b"\x01\x00USER"
    assert ask("A\x01", "B") == b"\x01\x00A\x02\x01\x00B"


def test_an_answer() -> None:
    payload = b"\x00\x00USER\x01psu1\x03LANG\x01C\x00DISPLAY\x00ACCT\x01"
    assert decode(payload) == [
        Variable(b"USER", b"psu1"),
        Variable(b"LANG", b"C", user=True),
        Variable(b"DISPLAY", None),
        Variable(b"ACCT", b""),
    ]
    assert decode(b"\x02\x00USER\x01late") == [Variable(b"USER", b"late")]
    assert decode(b"\x00") == []


def test_what_is_quoted_is_one_byte() -> None:
    assert decode(b"\x00\x00a\x02\x00b\x01c\x02\x01\x02\x02d") == [
        Variable(b"a\x00b", b"c\x01\x02d")
    ]


def test_what_a_client_may_not_say() -> None:
    assert decode(b"") is None
    assert decode(b"\x01\x00USER") is None
    assert decode(b"\x00USER") is None
    assert decode(b"\x00\x00USER\x01a\x01b") is None
    assert decode(b"\x00\x00USER\x02") is None


def test_it_is_bounded() -> None:
    many = b"\x00" + b"\x00A\x01b" * 100
    assert decode(many) == [Variable(b"A", b"b")] * MOST_VARIABLES
    long = b"\x00\x00" + b"n" * (LONGEST_NAME + 1) + b"\x00V\x01" + b"v" * (LONGEST_VALUE + 1)
    assert decode(long + b"\x00USER\x01me") == [Variable(b"USER", b"me")]


def test_a_name_is_that_of_a_var_before_a_uservar_and_cannot_paint_a_terminal() -> None:
    assert user_name([Variable(b"USER", b"u", user=True), Variable(b"USER", b"v")]) == "v"
    assert user_name([Variable(b"USER", b"a\x1b[2J\r\n\xffb")]) == "a[2Jb"
    assert user_name([Variable(b"USER", None), Variable(b"user", b"x")]) == ""
    assert user_name([Variable(b"USER", b"-f root")]) == "-f root"


@given(st.binary(max_size=1100))
def test_anything_is_taken(payload: bytes) -> None:
    for variable in decode(payload) or []:
        assert len(variable.name) <= LONGEST_NAME
        assert user_name([variable]).isprintable()


NAMES = st.binary(max_size=LONGEST_NAME)
VALUES = st.none() | st.binary(max_size=LONGEST_VALUE)


@given(st.lists(st.builds(Variable, NAMES, VALUES, st.booleans()), max_size=MOST_VARIABLES))
def test_whatever_is_said_is_heard(variables: list[Variable]) -> None:
    def quoted(data: bytes) -> bytes:
        return b"".join(b"\x02" + bytes([b]) if b < 4 else bytes([b]) for b in data)

    payload = b"\x00"
    for one in variables:
        payload += (b"\x03" if one.user else b"\x00") + quoted(one.name)
        if one.value is not None:
            payload += b"\x01" + quoted(one.value)
    assert decode(payload) == variables
