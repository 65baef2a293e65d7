"""The Q method's table."""

from __future__ import annotations

from itertools import product

import pytest

from gatewayd.telnet.constants import Side
from gatewayd.telnet.negotiation import IN_FORCE, TABLE, Cue, Q, Say


def test_the_table_is_total() -> None:
    assert set(TABLE) == set(product(Q, Cue))


@pytest.mark.parametrize("state", list(Q))
def test_a_refusal_is_never_answered_twice(state: Q) -> None:
    after, _ = TABLE[state, Cue.RECEIVED_NO]
    again, say = TABLE[after, Cue.RECEIVED_NO]
    if after in (Q.NO, Q.YES):
        assert (again, say) == (Q.NO, Say.NO if after is Q.YES else Say.NOTHING)


@pytest.mark.parametrize("cue", [Cue.RECEIVED_YES, Cue.RECEIVED_YES_UNWELCOME])
def test_what_is_on_already_is_not_answered(cue: Cue) -> None:
    assert TABLE[Q.YES, cue] == (Q.YES, Say.NOTHING)


def test_crossing_requests_settle_without_an_answer() -> None:
    assert TABLE[Q.WANTYES, Cue.RECEIVED_YES] == (Q.YES, Say.NOTHING)
    assert TABLE[Q.WANTNO, Cue.RECEIVED_NO] == (Q.NO, Say.NOTHING)


def test_our_side_ends_with_our_word_and_the_peers_with_its_own() -> None:
    assert Q.WANTNO not in IN_FORCE[Side.LOCAL]
    assert Q.WANTNO in IN_FORCE[Side.REMOTE]
