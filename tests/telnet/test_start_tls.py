"""START_TLS, and SSL of AUTHENTICATION: where TLS begins, whatever comes before, and in whatever
pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.telnet.start_tls import FOLLOWS, OFFER, Offered, Outcome

WILL, WONT = b"\xff\xfb\x2e", b"\xff\xfc\x2e"
DO, DONT = b"\xff\xfd\x2e", b"\xff\xfe\x2e"
DO_37, DONT_37 = b"\xff\xfd\x25", b"\xff\xfe\x25"
WILL_37, WONT_37 = b"\xff\xfb\x25", b"\xff\xfc\x25"
ASKED = b"\xff\xfd\x25"
SEND = b"\xff\xfa\x25\x01\x07\x00\xff\xf0"
START = b"\xff\xfa\x25\x00\x07\x00\x01\xff\xf0"
ACCEPT = b"\xff\xfa\x25\x02\x07\x00\x02\xff\xf0"
NULL = b"\xff\xfa\x25\x00\x00\x00\xff\xf0"


def test_what_is_sent() -> None:
    assert (OFFER.hex(), FOLLOWS.hex()) == ("fffd2e", "fffa2e01fff0")
    assert Offered().data_to_send() == OFFER


@pytest.mark.parametrize(
    ("said", "outcome", "aside", "rest"),
    [
        (WILL, Outcome.OPEN, b"", b""),
        (WONT + b"x", Outcome.OPEN, b"x", b""),
        (WONT + WONT_37 + b"x", Outcome.REFUSED, b"", b"x"),
        (WONT + WILL_37 + b"x", Outcome.OPEN, b"x", b""),
        (WONT + WILL_37 + START + b"AT", Outcome.FOLLOWS, b"", b"AT"),
        (WONT + WILL_37 + NULL + b"x", Outcome.REFUSED, b"", b"x"),
        (WONT + WILL_37 + NULL[:5] + NULL[6:], Outcome.REFUSED, b"", b""),
        (WONT + START, Outcome.WRONG, b"", b""),
        (WONT + WILL_37 + FOLLOWS, Outcome.WRONG, b"", b""),
        (WILL + WONT + FOLLOWS, Outcome.WRONG, b"", b""),
        (WONT + WILL_37 + b"\xff\xfa\x25\x00\x02\x00\x00\x6e\xff\xf0", Outcome.WRONG, b"", b""),
        (WONT + WILL_37 + b"\xff\xfa\x25\x00\x07\x00\x03\xff\xf0", Outcome.WRONG, b"", b""),
        (WILL_37 + WONT + START, Outcome.FOLLOWS, WILL_37, b""),
        (WONT_37 + WONT, Outcome.OPEN, WONT_37, b""),
        (WONT + WILL_37 + WILL, Outcome.OPEN, b"", b""),
        (WILL + FOLLOWS + b"AT", Outcome.FOLLOWS, b"", b"AT"),
        (FOLLOWS, Outcome.WRONG, b"", b""),
        (WILL + b"\xff\xfa\x2e\x02\xff\xf0", Outcome.WRONG, b"", b""),
        (WILL + b"\xff\xfa\x2e\xff\xf0", Outcome.WRONG, b"", b""),
        (b"AT\r\n" + WILL + FOLLOWS, Outcome.FOLLOWS, b"AT\r\n", b""),
        (b"\xff\xfb\x2c" + WILL + FOLLOWS, Outcome.FOLLOWS, b"\xff\xfb\x2c", b""),
        (b"\xff\xfa\x2c\x01\xff\xff\x02\xff\xf0" + WONT, Outcome.OPEN, None, b""),
        (b"\xff\xfa\x2c\x01" + WILL + FOLLOWS + b"!", Outcome.FOLLOWS, b"", b"!"),
        (b"\xff\xfa\x2c\xff\xff\xf0" + WILL + FOLLOWS, Outcome.FOLLOWS, b"", b""),
        (b"\xff\xff\x2e\xff\xf1" + WONT, Outcome.OPEN, b"\xff\xff\x2e\xff\xf1", b""),
        (DO + WONT, Outcome.OPEN, DO, b""),
        (WONT + DO_37 + WONT_37, Outcome.REFUSED, DO_37, b""),
    ],
)
def test_how_it_comes_out(said: bytes, outcome: Outcome, aside: bytes | None, rest: bytes) -> None:
    offered = Offered()
    assert offered.receive(said) is outcome
    assert (bytes(offered.aside), offered.rest) == (
        (said[:9] if aside is None else aside),
        rest,
    )


def said(*steps: bytes) -> list[bytes]:
    """What is answered to each step of a client."""
    offered = Offered()
    offered.data_to_send()
    answers = []
    for step in steps:
        offered.receive(step)
        answers.append(offered.data_to_send())
    return answers


def test_who_does_not_know_start_tls_is_asked_to_authenticate() -> None:
    assert said(WONT, WILL_37, START) == [ASKED, SEND, ACCEPT]
    assert said(WONT, WILL_37, NULL) == [ASKED, SEND, b"\xff\xfe\x25"]
    assert said(WONT, WILL_37, WILL_37) == [ASKED, SEND, b""]
    assert said(WILL, FOLLOWS) == [b"", FOLLOWS]


def test_who_knows_authentication_unasked_need_not_say_so_again() -> None:
    assert said(WILL_37, WONT, START) == [b"", ASKED + SEND, ACCEPT]


@pytest.mark.parametrize("of_our_side", [DO_37, DONT_37, DO, DONT])
def test_what_is_said_of_our_side_changes_nothing_of_its_own(of_our_side: bytes) -> None:
    asked = [b"", b"", ASKED + SEND, b"", ACCEPT]
    assert said(WILL_37, of_our_side, WONT, of_our_side, START) == asked


def test_what_is_turned_on_or_off_later_is_answered() -> None:
    assert said(WONT, WILL, WILL_37) == [ASKED, DONT, SEND]
    assert said(WILL, WONT) == [b"", DONT + ASKED]
    assert said(WONT, WILL_37, WONT_37) == [ASKED, SEND, DONT_37]


def test_our_side_of_both_is_refused_inside() -> None:
    offered = Offered()
    offered.receive(DO + WONT + DO_37 + WILL_37 + START)
    assert offered.refusals == b"\xff\xfc\x2e" + b"\xff\xfc\x25"


def test_what_was_asked_for_in_clear_is_refused_inside() -> None:
    """Such as C-Kermit's COM-PORT: it does not ask for it again, and waits."""
    offered = Offered()
    clear = b"\xff\xfb\x2c" + b"\xff\xfd\x01" + b"\xff\xfc\x18" + b"\xff\xfb\x2c"
    offered.receive(clear + WONT + WILL_37 + START)
    assert offered.refusals == b"\xff\xfe\x2c" + b"\xff\xfc\x01"


def test_a_name_and_what_no_client_may_say() -> None:
    offered = Offered()
    name = b"\xff\xfa\x25\x03-f root\xff\xf0"
    assert offered.receive(WONT + WILL_37 + name) is Outcome.OPEN
    assert offered.name == b"-f root"
    for wrong in (ACCEPT, SEND, b"\xff\xfa\x25\x00\x07\xff\xf0", b"\xff\xfa\x25\xff\xf0"):
        offered.violation = ""
        assert offered.receive(wrong) is Outcome.OPEN
        assert "AUTHENTICATION" in offered.violation
    assert offered.receive(START) is Outcome.FOLLOWS


PIECES = st.sampled_from(
    [
        WILL_37,
        WONT_37,
        START,
        NULL,
        WILL,
        WONT,
        DO,
        DO_37,
        FOLLOWS,
        b"x",
        b"\xff\xff",
        b"\xff",
        b"\xff\xfa",
        b"\x2e",
        b"\x01",
        b"\xff\xf0",
    ]
)


@given(st.lists(PIECES, max_size=12), st.lists(st.integers(1, 5), max_size=20))
def test_it_does_not_matter_how_it_is_split(pieces: list[bytes], sizes: list[int]) -> None:
    said = b"".join(pieces)
    whole, split = Offered(), Offered()
    expected = whole.receive(said)
    outcome, at = Outcome.OPEN, 0
    for size in [*sizes, len(said)]:
        if outcome is Outcome.OPEN:
            outcome = split.receive(said[at : at + size])
            at += size
    assert outcome is expected
    assert bytes(split.aside) == bytes(whole.aside)
    assert split.rest + said[at:] == whole.rest


@given(st.binary(max_size=60).filter(lambda data: b"\x2e" not in data and b"\x25" not in data))
def test_who_goes_on_without_it_has_every_byte(data: bytes) -> None:
    offered = Offered()
    assert offered.receive(data) is Outcome.OPEN
    if b"\xff\xfa" not in data:
        assert offered.all() == data
