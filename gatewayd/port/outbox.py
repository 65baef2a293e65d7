"""What waits for the line, in stream order: bytes, and actions that come after them.

An action runs when every byte before it has left the UART. That makes Com Port Control requests,
breaks and timing marks act at their place in the stream, and a round trip a drain barrier.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Final

from gatewayd.line.api import Clock, Line, Timer
from gatewayd.line.pending import Pending
from gatewayd.log import Happening, note
from gatewayd.typed import NamedTuple

Action = Callable[[], float | Pending | None]
"""What to do after the bytes before it. The queue then stands still for the seconds that it
returns, or until what it has begun is done."""

AT_ONCE: Final = 64
"""Pieces and actions that go to the line before other ports have their turn."""
ACTION_WEIGHT: Final = 64
"""What a waiting action counts in `load`, so that a flood of requests is bounded like bytes."""


class Urgent(bytes):
    """Bytes that survive a Synch: what stands for a Telnet function (RFC 854)."""


class _Waiting(NamedTuple):
    """An action in the queue."""

    action: Action
    weight: int


_STANDING: Final = _Waiting(lambda: None, 0)
"""At the head of a queue that stands still."""


class Outbox:
    """The queue of one port; it outlives sessions and lines.

    `discarded(count)` is told of bytes that can go nowhere; `room()` is called each time that less
    waits than before.
    """

    def __init__(
        self, clock: Clock, *, discarded: Callable[[int], None], room: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._discarded = discarded
        self._room = room
        self._queue: deque[bytes | memoryview | _Waiting] = deque()
        self._line: Line | None = None
        self._tap: Callable[[bytes], None] | None = None
        self.give: Callable[[bytes | memoryview], int] = self._give_and_tell
        """How bytes get to the line: its own `write`, unless somebody looks on."""
        self._known = 0
        """Bytes at the head that a line has had before, in another process."""
        self._weight = 0
        self._pumping = False
        self._turn: Timer | None = None
        self._standing = False
        self._drained = True
        self._hold: Timer | None = None
        self._awaited: Pending | None = None
        self.waiting = 0
        """Bytes in the queue, those that the line has taken not counted."""
        self.taken = 0
        """Bytes that lines have taken since the port began."""

    @property
    def load(self) -> int:
        """What waits, in bytes, actions counted by their weight."""
        return self.waiting + self._weight

    @property
    def empty(self) -> bool:
        """Whether nothing waits here: no byte and no action."""
        return not self._queue and not self._standing

    def attach(self, line: Line, after: Pending | None = None) -> None:
        """There is a line now; it takes its first byte after what it has begun is done."""
        self._line = line
        self._choose_way()
        self._drained = False
        if after is not None:
            self._queue.insert(1 if self._standing else 0, _Waiting(lambda: after, 0))
        self._pump()

    def tapped(self, tap: Callable[[bytes], None] | None) -> None:
        """Tell `tap` of all bytes that lines take from now on; None tells nobody."""
        self._tap = tap
        self._choose_way()

    def _choose_way(self) -> None:
        if self._line is None:
            return
        if self._known:
            self.give = self._give_known
        else:
            self.give = self._line.write if self._tap is None else self._give_and_tell

    def _give_and_tell(self, data: bytes | memoryview) -> int:
        assert self._line is not None
        taken = self._line.write(data)
        if taken and self._tap is not None:
            self._tap(bytes(data[:taken]))
        return taken

    def _give_known(self, data: bytes | memoryview) -> int:
        assert self._line is not None
        taken = self._line.write(data)
        known = min(taken, self._known)
        self._known -= known
        self.taken -= known
        if self._tap is not None and taken > known:
            self._tap(bytes(data[known:taken]))
        self._choose_way()
        return taken

    def resume(self, data: bytes, known: int) -> None:
        """Go on with what waited in another process. The first `known` bytes its line had taken
        already: they are counted, and who looks on was told."""
        self._known = known if self._line is not None else 0
        self._choose_way()
        self.write(data)

    def detach(self) -> None:
        """The line is gone: bytes are discarded, actions run."""
        self._line = None
        self._known = 0
        self._stop_standing()
        self.drop_bytes()
        self._pump()

    def write(self, data: bytes) -> bool:
        """Queue bytes for the line; return whether it took all of them at once."""
        line = self._line
        if line is None:
            self._discarded(len(data))
            return True
        if not self._queue:
            self._drained = False
            taken = self.give(data)
            self.taken += taken
            if taken == len(data):
                return True
            self._queue.append(memoryview(data)[taken:] if taken else data)
            self.waiting += len(data) - taken
            return False
        self._queue.append(data)
        self.waiting += len(data)
        return False

    def then(self, action: Action, weight: int = ACTION_WEIGHT) -> None:
        """Queue an action; within the call when nothing is before it."""
        self._queue.append(_Waiting(action, weight))
        self._weight += weight
        if len(self._queue) == 1:
            self._pump(0)

    def withdraw(self, action: Action) -> None:
        """Take an action back, if it still waits."""
        for item in self._queue:
            if isinstance(item, _Waiting) and item.action == action:
                self._queue.remove(item)
                self._weight -= item.weight
                return

    def line_writable(self) -> None:
        """The line takes bytes again."""
        self._pump()

    def drop_bytes(
        self,
        *,
        spare_urgent: bool = False,
        before: Action | None = None,
        behind: Action | None = None,
    ) -> int:
        """Throw away the bytes that wait, all or those before or behind an action (its last
        occurrence), but no actions; return how many there were."""
        if not self.waiting:
            return 0
        start = 0 if behind is None else self._place(behind)
        end = len(self._queue) if before is None else self._place(before)
        spared = (_Waiting, Urgent) if spare_urgent else _Waiting
        kept = [
            item
            for at, item in enumerate(self._queue)
            if not start <= at < end or isinstance(item, spared)
        ]
        dropped = self.waiting - _bytes_of(kept)
        if dropped:
            self._known = min(self._known, _bytes_of(islice(self._queue, start)))
            self._queue.clear()
            self._queue.extend(kept)
            self.waiting -= dropped
            self._choose_way()
            self._discarded(dropped)
            self._room()
        return dropped

    def _place(self, action: Action) -> int:
        """Where an action waits, or the last one of several; the head if it does not."""
        return max((at for at, item in enumerate(self._queue) if _is(item, action)), default=0)

    def give_away(self, known: Mapping[Action, str]) -> tuple[list[bytes | str], bool]:
        """What waits, for a successor in another process, and whether that is all.

        `known` are the names of actions that it can perform too; the first other one ends what is
        given away, and bytes behind it are discarded.
        """
        given: list[bytes | str] = []
        complete = self._hold is None and self._awaited is None
        for item in self._queue if complete else ():
            if not isinstance(item, _Waiting):
                given.append(bytes(item))
            elif item.action in known:
                given.append(known[item.action])
            else:
                complete = False
                break
        if not complete:
            self._discarded(self.waiting - sum(len(one) for one in given if isinstance(one, bytes)))
        return given, complete

    def _pump(self, before: int | None = None) -> None:
        """Move on what waits; `before` is how much did, if that is not what does now."""
        # A drain may end within the call, and an action may queue more: one loop serves them all.
        if self._pumping:
            return
        if before is None:
            before = self.load
        self._pumping = True
        left = AT_ONCE
        try:
            while self._queue and not self._standing:
                if not left:
                    self._pump_later()
                    break
                left -= 1
                head = self._queue[0]
                if not isinstance(head, _Waiting):
                    if not self._write_head(head):
                        break
                elif self._drained or self._line is None:
                    self._queue.popleft()
                    self._weight -= head.weight
                    self._stand(self._act(head.action))
                else:
                    self._standing = True
                    self._line.drain(partial(self._has_drained, self._line))
        finally:
            self._pumping = False
        if before and self.load < before:
            self._room()

    def _pump_later(self) -> None:
        if self._turn is None:
            self._turn = self._clock.call_later(0, self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        self._pump()

    def _stand(self, until: float | Pending | None) -> None:
        if isinstance(until, Pending):
            if until.done:
                return
            self._awaited = until
            until.then(partial(self._is_done, until))
        elif until:
            self._hold = self._clock.call_later(until, self._go_on)
        else:
            return
        self._standing = True
        # So that a write, which looks at the queue alone, waits.
        self._queue.appendleft(_STANDING)

    def _is_done(self, pending: Pending) -> None:
        # What a line that is gone by now has left undone holds up nothing any more.
        if pending is self._awaited:
            self._go_on()

    def _act(self, action: Action) -> float | Pending | None:
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - our fault; what waits behind it must go on
            note(Happening.FAULT, "action failed", level=logging.ERROR, exc_info=error)
            return None

    def _write_head(self, head: bytes | memoryview) -> bool:
        line = self._line
        if line is None:
            taken = len(head)
            self._discarded(taken)
        else:
            self._drained = False
            taken = self.give(head)
            self.taken += taken
        self.waiting -= taken
        if taken == len(head):
            self._queue.popleft()
            return True
        self._queue[0] = memoryview(head)[taken:]
        return False

    def _has_drained(self, line: Line) -> None:
        if line is self._line:
            self._drained = True
            if self._pumping:
                # Within the call: the loop goes on.
                self._standing = False
            else:
                self._go_on()

    def _go_on(self) -> None:
        self._stop_standing()
        self._pump()

    def _stop_standing(self) -> None:
        self._standing = False
        if self._queue and self._queue[0] is _STANDING:
            self._queue.popleft()
        self._awaited = None
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None


def _is(item: bytes | memoryview | _Waiting, action: Action) -> bool:
    return isinstance(item, _Waiting) and item.action == action


def _bytes_of(items: Iterable[bytes | memoryview | _Waiting]) -> int:
    return sum(len(item) for item in items if not isinstance(item, _Waiting))
