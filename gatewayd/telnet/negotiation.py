"""Option negotiation by the Q method (RFC 1143) as one total table.

The table does not know which side it speaks for: YES is WILL or DO, NO is WONT or DONT, whichever
the side calls for. An option has two independent states, one for each side.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import Final

from gatewayd.telnet.constants import IAC, Command, Side


class Q(enum.IntEnum):
    """The state of one option on one side; the second word of RFC 1143's queue bit is EMPTY where
    it is not named."""

    NO = enum.auto()
    YES = enum.auto()
    WANTNO = enum.auto()
    WANTNO_OPPOSITE = enum.auto()
    WANTYES = enum.auto()
    WANTYES_OPPOSITE = enum.auto()


class Cue(enum.IntEnum):
    """What may happen to an option."""

    RECEIVED_YES = enum.auto()
    """The peer says WILL or DO, and the option would be welcome."""
    RECEIVED_YES_UNWELCOME = enum.auto()
    """The peer says WILL or DO for an option that is refused."""
    RECEIVED_NO = enum.auto()
    """The peer says WONT or DONT."""
    ASK_YES = enum.auto()
    """We want the option on."""
    ASK_NO = enum.auto()
    """We want the option off."""


class Say(enum.IntEnum):
    """What goes out."""

    NOTHING = enum.auto()
    YES = enum.auto()
    NO = enum.auto()


# RFC 1143 section 7. Where that text says "error", the peer broke the rules and the state follows
# its advice; where we ask for what is so or on its way already, nothing changes.
TABLE: Final[dict[tuple[Q, Cue], tuple[Q, Say]]] = {
    (Q.NO, Cue.RECEIVED_YES): (Q.YES, Say.YES),
    (Q.NO, Cue.RECEIVED_YES_UNWELCOME): (Q.NO, Say.NO),
    (Q.NO, Cue.RECEIVED_NO): (Q.NO, Say.NOTHING),
    (Q.NO, Cue.ASK_YES): (Q.WANTYES, Say.YES),
    (Q.NO, Cue.ASK_NO): (Q.NO, Say.NOTHING),
    (Q.YES, Cue.RECEIVED_YES): (Q.YES, Say.NOTHING),
    (Q.YES, Cue.RECEIVED_YES_UNWELCOME): (Q.YES, Say.NOTHING),
    (Q.YES, Cue.RECEIVED_NO): (Q.NO, Say.NO),
    (Q.YES, Cue.ASK_YES): (Q.YES, Say.NOTHING),
    (Q.YES, Cue.ASK_NO): (Q.WANTNO, Say.NO),
    (Q.WANTNO, Cue.RECEIVED_YES): (Q.NO, Say.NOTHING),
    (Q.WANTNO, Cue.RECEIVED_YES_UNWELCOME): (Q.NO, Say.NOTHING),
    (Q.WANTNO, Cue.RECEIVED_NO): (Q.NO, Say.NOTHING),
    (Q.WANTNO, Cue.ASK_YES): (Q.WANTNO_OPPOSITE, Say.NOTHING),
    (Q.WANTNO, Cue.ASK_NO): (Q.WANTNO, Say.NOTHING),
    (Q.WANTNO_OPPOSITE, Cue.RECEIVED_YES): (Q.YES, Say.NOTHING),
    (Q.WANTNO_OPPOSITE, Cue.RECEIVED_YES_UNWELCOME): (Q.YES, Say.NOTHING),
    (Q.WANTNO_OPPOSITE, Cue.RECEIVED_NO): (Q.WANTYES, Say.YES),
    (Q.WANTNO_OPPOSITE, Cue.ASK_YES): (Q.WANTNO_OPPOSITE, Say.NOTHING),
    (Q.WANTNO_OPPOSITE, Cue.ASK_NO): (Q.WANTNO, Say.NOTHING),
    (Q.WANTYES, Cue.RECEIVED_YES): (Q.YES, Say.NOTHING),
    (Q.WANTYES, Cue.RECEIVED_YES_UNWELCOME): (Q.YES, Say.NOTHING),
    (Q.WANTYES, Cue.RECEIVED_NO): (Q.NO, Say.NOTHING),
    (Q.WANTYES, Cue.ASK_YES): (Q.WANTYES, Say.NOTHING),
    (Q.WANTYES, Cue.ASK_NO): (Q.WANTYES_OPPOSITE, Say.NOTHING),
    (Q.WANTYES_OPPOSITE, Cue.RECEIVED_YES): (Q.WANTNO, Say.NO),
    (Q.WANTYES_OPPOSITE, Cue.RECEIVED_YES_UNWELCOME): (Q.WANTNO, Say.NO),
    (Q.WANTYES_OPPOSITE, Cue.RECEIVED_NO): (Q.NO, Say.NOTHING),
    (Q.WANTYES_OPPOSITE, Cue.ASK_YES): (Q.WANTYES, Say.NOTHING),
    (Q.WANTYES_OPPOSITE, Cue.ASK_NO): (Q.WANTYES_OPPOSITE, Say.NOTHING),
}


IN_FORCE: Final = {
    Side.LOCAL: frozenset({Q.YES}),
    Side.REMOTE: frozenset({Q.YES, Q.WANTNO, Q.WANTNO_OPPOSITE}),
}
"""When data follows the option: ours ends with our WONT, the peer's only with its own."""

SAY_YES: Final = {Side.LOCAL: Command.WILL, Side.REMOTE: Command.DO}
SAY_NO: Final = {Side.LOCAL: Command.WONT, Side.REMOTE: Command.DONT}
TURNS: Final[dict[tuple[Side, Q, Cue], tuple[Q, bool | None, Command | None]]] = {
    (side, before, cue): (
        after,
        None if (after in on) is (before in on) else after in on,
        None if say is Say.NOTHING else (SAY_YES if say is Say.YES else SAY_NO)[side],
    )
    for side, on in IN_FORCE.items()
    for (before, cue), (after, say) in TABLE.items()
}
"""RFC 1143's table as one side takes it: the state that follows, whether that puts the option in
force or out of it, and the verb that goes out."""


@lru_cache(maxsize=64)
def begun(asks: tuple[tuple[Side, int, bool], ...]) -> tuple[dict[tuple[Side, int], Q], bytes]:
    """What follows from the same asks for (side, option, enable) where nothing was said yet: the
    states, not to be changed, and what goes out. Each kind of connection begins with its own."""
    states: dict[tuple[Side, int], Q] = {}
    said = b""
    for side, option, enable in asks:
        before = states.get((side, option), Q.NO)
        after, _, verb = TURNS[side, before, Cue.ASK_YES if enable else Cue.ASK_NO]
        if after is not before:
            states[side, option] = after
        if verb is not None:
            said += IAC + bytes((verb, option))
    return states, said


@lru_cache(maxsize=64)
def joined(options: frozenset[int], option: int) -> frozenset[int]:
    """One set for all connections that welcome the same."""
    return options | {option}
