"""The life of a port's device as one total table."""

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


# What cannot happen in a phase changes nothing.
TABLE: Final[dict[tuple[Phase, Cue], Phase]] = {
    (Phase.ABSENT, Cue.TRY): Phase.OPENING,
    (Phase.ABSENT, Cue.OPENED): Phase.ABSENT,
    (Phase.ABSENT, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.ABSENT, Cue.HELD): Phase.ABSENT,
    (Phase.ABSENT, Cue.REFUSED): Phase.ABSENT,
    (Phase.ABSENT, Cue.LOST): Phase.ABSENT,
    (Phase.ABSENT, Cue.HANGS): Phase.STUCK,
    (Phase.OPENING, Cue.TRY): Phase.OPENING,
    (Phase.OPENING, Cue.OPENED): Phase.READY,
    (Phase.OPENING, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.OPENING, Cue.HELD): Phase.BUSY,
    (Phase.OPENING, Cue.REFUSED): Phase.FAILED,
    (Phase.OPENING, Cue.LOST): Phase.ABSENT,
    (Phase.OPENING, Cue.HANGS): Phase.STUCK,
    (Phase.READY, Cue.TRY): Phase.READY,
    (Phase.READY, Cue.OPENED): Phase.READY,
    (Phase.READY, Cue.NOT_THERE): Phase.READY,
    (Phase.READY, Cue.HELD): Phase.READY,
    (Phase.READY, Cue.REFUSED): Phase.READY,
    (Phase.READY, Cue.LOST): Phase.ABSENT,
    (Phase.READY, Cue.HANGS): Phase.STUCK,
    (Phase.BUSY, Cue.TRY): Phase.OPENING,
    (Phase.BUSY, Cue.OPENED): Phase.BUSY,
    (Phase.BUSY, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.BUSY, Cue.HELD): Phase.BUSY,
    (Phase.BUSY, Cue.REFUSED): Phase.BUSY,
    (Phase.BUSY, Cue.LOST): Phase.ABSENT,
    (Phase.BUSY, Cue.HANGS): Phase.STUCK,
    (Phase.FAILED, Cue.TRY): Phase.OPENING,
    (Phase.FAILED, Cue.OPENED): Phase.FAILED,
    (Phase.FAILED, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.FAILED, Cue.HELD): Phase.FAILED,
    (Phase.FAILED, Cue.REFUSED): Phase.FAILED,
    (Phase.FAILED, Cue.LOST): Phase.ABSENT,
    (Phase.FAILED, Cue.HANGS): Phase.STUCK,
    (Phase.STUCK, Cue.TRY): Phase.OPENING,
    (Phase.STUCK, Cue.OPENED): Phase.STUCK,
    (Phase.STUCK, Cue.NOT_THERE): Phase.ABSENT,
    (Phase.STUCK, Cue.HELD): Phase.STUCK,
    (Phase.STUCK, Cue.REFUSED): Phase.STUCK,
    (Phase.STUCK, Cue.LOST): Phase.ABSENT,
    (Phase.STUCK, Cue.HANGS): Phase.STUCK,
}
