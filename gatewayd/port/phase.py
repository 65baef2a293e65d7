"""The life of a port's device as one table of what changes it."""

from __future__ import annotations

import enum
from typing import Final


class Phase(enum.Enum):
    """What a port knows of its device."""

    ABSENT = "absent"
    """It is not there; events of the kernel tell when it comes."""
    OPENING = "opening"
    """It is being opened, away from the event loop."""
    READY = "ready"
    """It is open."""
    BUSY = "busy"
    """Another process holds it; tried again after a while."""
    FAILED = "failed"
    """It is there and cannot be opened; tried again after a while."""
    STUCK = "stuck"
    """Its driver does not come back from a system call; tried again when it does."""


class Cue(enum.Enum):
    """What may happen to a device."""

    TRY = enum.auto()
    """It may be there, or free, by now."""
    OPENED = enum.auto()
    NOT_THERE = enum.auto()
    HELD = enum.auto()
    REFUSED = enum.auto()
    LOST = enum.auto()
    """It was open and went away."""
    HANGS = enum.auto()
    """A system call does not come back."""


# What is not here changes nothing: the phase stays, whatever is told of the device.
TABLE: Final[dict[tuple[Phase, Cue], Phase]] = {
    (Phase.ABSENT, Cue.TRY): Phase.OPENING,
    (Phase.ABSENT, Cue.HANGS): Phase.STUCK,
    (Phase.OPENING, Cue.OPENED): Phase.READY,
    (Phase.OPENING, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.OPENING, Cue.HELD): Phase.BUSY,
    (Phase.OPENING, Cue.REFUSED): Phase.FAILED,
    (Phase.OPENING, Cue.LOST): Phase.ABSENT,
    (Phase.OPENING, Cue.HANGS): Phase.STUCK,
    (Phase.READY, Cue.LOST): Phase.ABSENT,
    (Phase.READY, Cue.HANGS): Phase.STUCK,
    (Phase.BUSY, Cue.TRY): Phase.OPENING,
    (Phase.BUSY, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.BUSY, Cue.LOST): Phase.ABSENT,
    (Phase.BUSY, Cue.HANGS): Phase.STUCK,
    (Phase.FAILED, Cue.TRY): Phase.OPENING,
    (Phase.FAILED, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.FAILED, Cue.LOST): Phase.ABSENT,
    (Phase.FAILED, Cue.HANGS): Phase.STUCK,
    (Phase.STUCK, Cue.TRY): Phase.OPENING,
    (Phase.STUCK, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.STUCK, Cue.LOST): Phase.ABSENT,
}


def after(phase: Phase, cue: Cue) -> Phase:
    """The phase after something happened."""
    return TABLE.get((phase, cue), phase)
