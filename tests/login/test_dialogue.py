"""What a person types at the login, key by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.login.dialogue import (
    LONGEST_NAME,
    LONGEST_PASSWORD,
    Anonymous,
    Dialogue,
    GaveUp,
    Judge,
    Prompt,
    Said,
)

NAME = Prompt("login: ", shown=True)
PASSWORD = Prompt("password: ", shown=False)
AFTER = Prompt("\r\n", shown=True)


@pytest.mark.parametrize("enter", [b"\r\n", b"\r\0", b"\r", b"\n"])
def test_a_name_and_a_password(enter: bytes) -> None:
    dialogue = Dialogue()
    assert dialogue.begin() == [NAME]
    assert dialogue.typed(b"alice" + enter) == [PASSWORD]
    assert dialogue.typed(b"open sesame" + enter) == [AFTER, Judge("alice", b"open sesame")]
    assert dialogue.judged(good=True) == []


@given(cuts=st.lists(st.integers(1, 20)))
def test_however_it_is_cut(cuts: list[int]) -> None:
    typed = b"alixx\x7f\x08ce\r\0no\x15secret\r\n"
    dialogue, said = Dialogue(), list[Said]()
    dialogue.begin()
    while typed:
        size = cuts.pop() if cuts else 100
        said += dialogue.typed(typed[:size])
        typed = typed[size:]
    assert said == [PASSWORD, AFTER, Judge("alice", b"secret")]


def test_three_times_wrong() -> None:
    dialogue = Dialogue()
    dialogue.begin()
    for _ in range(2):
        dialogue.typed(b"alice\rwrong\r")
        assert dialogue.judged(good=False) == [Prompt("login incorrect\r\nlogin: ", shown=True)]
    dialogue.typed(b"alice\rwrong\r")
    assert dialogue.judged(good=False) == [GaveUp("3 wrong passwords")]


def test_what_is_typed_while_it_is_judged_is_dropped() -> None:
    dialogue = Dialogue()
    dialogue.begin()
    dialogue.typed(b"alice\rwrong\r")
    assert dialogue.typed(b"alice\ropen sesame\r") == []
    dialogue.judged(good=False)
    assert dialogue.typed(b"alice\r") == [PASSWORD]


@pytest.mark.parametrize("key", [b"\x03", b"\x04", b"alice\r\x03", b"ali\x03", b"alice\r\x04"])
def test_giving_up(key: bytes) -> None:
    dialogue = Dialogue()
    dialogue.begin()
    assert dialogue.typed(key)[-1] == GaveUp("the client gave up")
    assert dialogue.typed(b"alice\rx\r") == []


def test_going_on_without_a_name() -> None:
    dialogue = Dialogue()
    dialogue.begin()
    assert dialogue.typed(b"\r\r") == [NAME, NAME]
    dialogue = Dialogue(optional=True)
    dialogue.begin()
    assert dialogue.typed(b"\r") == [Anonymous()]
    assert dialogue.typed(b"more\r") == []


@pytest.mark.parametrize(("before", "limit"), [(b"", LONGEST_NAME), (b"alice\r", LONGEST_PASSWORD)])
def test_too_long(before: bytes, limit: int) -> None:
    dialogue = Dialogue()
    dialogue.begin()
    dialogue.typed(before)
    assert dialogue.typed(b"a" * limit) == []
    assert dialogue.typed(b"a") == [GaveUp("what was typed is too long")]


@given(st.binary(max_size=600))
def test_whatever_is_typed(data: bytes) -> None:
    dialogue = Dialogue()
    dialogue.begin()
    for said in dialogue.typed(data):
        assert isinstance(said, Prompt | Judge | GaveUp)


def test_enter_alone_means_what_the_client_calls_itself() -> None:
    dialogue = Dialogue(offered="alice")
    assert dialogue.begin() == [Prompt("[alice] login: ", shown=True)]
    assert dialogue.typed(b"\r") == [PASSWORD]
    assert dialogue.typed(b"x\r")[-1] == Judge("alice", b"x")
    assert dialogue.judged(good=False)[-1] == Prompt(
        "login incorrect\r\n[alice] login: ", shown=True
    )
    assert dialogue.typed(b"bob\r") == [PASSWORD]
    assert dialogue.typed(b"x\r")[-1] == Judge("bob", b"x")
