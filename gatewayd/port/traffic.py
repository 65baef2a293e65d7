"""Whether a line is so busy in both directions that no dialogue can be on it."""

from __future__ import annotations

from typing import Final

BEGINS: Final = 1.3
ENDS: Final = 1.1
"""Of what one direction can carry, from how much in both together it is no dialogue, and below how
much it may be one again: question and answer in turns take 1 at most, for a wire that is waited for
is idle."""
FASTEST: Final = 1.1
AT_ONCE: Final = 1.65
"""More than the first in one direction no wire has: the device is a program or has USB of its own,
and its speed means nothing. Once it streams, more than the second: what was held up comes at once.
"""
FIRST_REST_S: Final = 1.0
LAST_REST_S: Final = 64.0
"""How long it is not looked for after it has ended: where the speed means nothing it may have been
a dialogue, which became slower by being taken for something else."""
LASTING_S: Final = 0.5
"""What was there for so long was none."""


class Traffic:
    """Judges by what passed in both directions from one call of `look` to the next."""

    __slots__ = ("_at", "_received", "_rest", "_rests_until", "_sent", "_since")

    def __init__(self) -> None:
        self._at = self._received = self._sent = 0.0
        self._since: float | None = None
        self._rests_until = 0.0
        self._rest = FIRST_REST_S

    def look(self, now: float, received: int, sent: int, bytes_per_second: float) -> bool:
        """Whether both directions stream. `now` is in seconds; `received` and `sent` are the bytes
        that have passed since any time, each way; the speed is that of the line, each way."""
        room = (now - self._at) * bytes_per_second
        came, went = received - self._received, sent - self._sent
        self._at, self._received, self._sent = now, received, sent
        most, both = max(came, went), came + went
        if self._since is None:
            if most <= FASTEST * room and both >= BEGINS * room > 0 and now >= self._rests_until:
                self._since = now
        elif most > AT_ONCE * room or both < ENDS * room:
            self._end(now, self._since)
        return self._since is not None

    def _end(self, now: float, since: float) -> None:
        self._since = None
        if now - since >= LASTING_S:
            self._rest = FIRST_REST_S
        else:
            self._rests_until = now + self._rest
            self._rest = min(2 * self._rest, LAST_REST_S)
