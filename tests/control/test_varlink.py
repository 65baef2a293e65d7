"""Varlink's framing, without I/O."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.control import varlink
from gatewayd.control.varlink import Call, CallError, Framer, FramingError

NAMES = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.dictionaries(NAMES, VALUES, max_size=4)


@given(st.lists(MESSAGES, max_size=5), st.data())
def test_chunking_does_not_matter(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    stream = b"".join(varlink.encode(message) for message in messages)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    framer = Framer()
    got = []
    for start, end in zip((0, *cuts), (*cuts, len(stream)), strict=True):
        got += framer.feed(stream[start:end])
    assert got == messages


@given(st.binary(max_size=200))
def test_garbage_is_a_framing_error_and_nothing_else(garbage: bytes) -> None:
    try:
        messages = Framer().feed(garbage + b"\0")
        for message in messages:
            varlink.call_of(message)
    except FramingError:
        return
    assert all(isinstance(message["method"], str) for message in messages)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"[]",
        b"1",
        b"{",
        b'{"a": "\xff"}',
        b"[" * 60_000,
        b"9" * 10_000,
    ],
)
def test_what_is_no_object(garbage: bytes) -> None:
    with pytest.raises(FramingError):
        Framer().feed(garbage + b"\0")


@pytest.mark.parametrize(
    "message", [{}, {"method": 1}, {"method": "a.B", "parameters": [1]}, {"parameters": {}}]
)
def test_what_is_no_call(message: dict[str, Any]) -> None:
    with pytest.raises(FramingError):
        varlink.call_of(message)


@given(st.integers(500, 9000))
def test_an_endless_message_is_not_kept(size: int) -> None:
    framer = Framer()
    for _ in range(varlink.MAX_MESSAGE_BYTES // size):
        assert framer.feed(b"x" * size) == []
    with pytest.raises(FramingError):
        framer.feed(b"x" * size)


def test_calls() -> None:
    assert varlink.call_of({"method": "a.B"}) == Call("a.B")
    call = varlink.call_of({"method": "a.B", "parameters": {"x": 1}, "oneway": True, "more": True})
    assert call == Call("a.B", {"x": 1}, oneway=True, more=True)


def test_what_json_can_say_and_utf8_cannot() -> None:
    (message,) = Framer().feed(b'{"method": "\\ud800"}\0')
    assert json.loads(varlink.encode(message)[:-1]) == {"method": "?"}


@pytest.mark.parametrize(
    ("kind", "value"), [(str, 1), (str, None), (int, True), (int, "1"), (bool, 1), (bool, "true")]
)
def test_an_argument_of_another_kind(kind: type, value: object) -> None:
    with pytest.raises(CallError) as caught:
        varlink.argument(Call("a.B", {"x": value}), "x", kind)
    assert caught.value.name == "org.varlink.service.InvalidParameter"
    assert caught.value.parameters == {"parameter": "x"}


def test_arguments() -> None:
    call = Call("a.B", {"x": "1", "y": None})
    assert varlink.argument(call, "x", str) == "1"
    assert varlink.argument(call, "y", int, 7) == 7
    assert varlink.argument(call, "z", int, None) is None
