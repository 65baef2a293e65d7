"""What each end of a connection does, as two states that only go forward."""

from __future__ import annotations

import enum


class Near(enum.IntEnum):
    """What we do. It only goes forward."""

    SERVING = 0
    FROZEN = 1
    """The connection is on its way to another process: nothing is read."""
    CLOSING = 2
    """What is kept is sent, then comes our end."""
    SHUT = 3
    """Our end is sent: the client has `CLOSE_S` for its own."""
    GIVEN = 4
    """Another process goes on with it; here it is only to be closed."""
    OVER = 5
    """It is closed."""


class Far(enum.IntEnum):
    """What the client does. It only goes forward, until another stage has to find out anew."""

    TALKING = 0
    CLOSED = 1
    """It sends no more; what it sent is not all read."""
    HUNG = 2
    """The connection is over; what came before is not all read."""
    READ = 3
    """It sends no more, and all is read."""
