"""START_TLS: where TLS begins, whatever comes before, and in whatever pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.telnet.start_tls import FOLLOWS, OFFER, Offered, Outcome

WILL, WONT = b"\xff\xfb\x2e", b"\xff\xfc\x2e"


def test_what_is_sent() -> None:
    assert (OFFER.hex(), FOLLOWS.hex()) == ("fffd2e", "fffa2e01fff0")


@pytest.mark.parametrize(
    ("said", "outcome", "aside", "rest"),
    [
        (WILL, Outcome.OPEN, b"", b""),
        (WONT + b"x", Outcome.REFUSED, b"", b"x"),
        (WILL + FOLLOWS + b"AT", Outcome.FOLLOWS, b"", b"AT"),
        (FOLLOWS, Outcome.WRONG, b"", b""),
        (WILL + b"\xff\xfa\x2e\x02\xff\xf0", Outcome.WRONG, b"", b""),
        (WILL + b"\xff\xfa\x2e\xff\xf0", Outcome.WRONG, b"", b""),
        (b"AT\r\n" + WILL + FOLLOWS, Outcome.FOLLOWS, b"AT\r\n", b""),
        (b"\xff\xfb\x2c" + WILL + FOLLOWS, Outcome.FOLLOWS, b"\xff\xfb\x2c", b""),
        (b"\xff\xfa\x2c\x01\xff\xff\x02\xff\xf0" + WONT, Outcome.REFUSED, None, b""),
        (b"\xff\xfa\x2c\x01" + WILL + FOLLOWS + b"!", Outcome.FOLLOWS, b"", b"!"),
        (b"\xff\xfa\x2c\xff\xff\xf0" + WILL + FOLLOWS, Outcome.FOLLOWS, b"", b""),
        (b"\xff\xff\x2e\xff\xf1" + WONT, Outcome.REFUSED, b"\xff\xff\x2e\xff\xf1", b""),
        (b"\xff\xfd\x2e" + WONT, Outcome.REFUSED, b"", b""),
    ],
)
def test_how_it_comes_out(said: bytes, outcome: Outcome, aside: bytes | None, rest: bytes) -> None:
    offered = Offered()
    assert offered.receive(said) is outcome
    assert (bytes(offered.aside), offered.rest) == (
        (said[:9] if aside is None else aside),
        rest,
    )


PIECES = st.sampled_from(
    [WILL, WONT, FOLLOWS, b"x", b"\xff\xff", b"\xff", b"\xff\xfa", b"\x2e", b"\x01", b"\xff\xf0"]
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


@given(st.binary(max_size=60).filter(lambda data: b"\x2e" not in data))
def test_who_goes_on_without_it_has_every_byte(data: bytes) -> None:
    offered = Offered()
    assert offered.receive(data) is Outcome.OPEN
    if b"\xff\xfa" not in data:
        assert offered.all() == data
