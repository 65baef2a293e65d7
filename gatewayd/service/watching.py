"""Who looks on through the control interface: at one port byte by byte, or at the state of all.

Nothing is polled: ports are tapped while a caller is there (see `gatewayd.port.hub`), and a caller
that is slow misses bytes, or gets several changes as one.
"""

from __future__ import annotations

import asyncio
import binascii
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from gatewayd.control import interface
from gatewayd.control.varlink import CallError
from gatewayd.line.model import LineErrors
from gatewayd.port.counters import Counters
from gatewayd.port.event import PortEvent
from gatewayd.port.port import Port
from gatewayd.service.gateway import Gateway
from gatewayd.service.status import signal_names

HIGH_BYTES: Final = 65536
LOW_BYTES: Final = 16384
"""What waits for a caller: above the first it misses bytes, below the second it gets them again."""
EVENT_BYTES: Final = 256
"""What an event counts for among them."""
SOON_S: Final = 0.05
"""A change of state is told after so long, with those that follow it at once."""
COUNTERS_S: Final = 1.0
"""How often counters are told while bytes go by."""
NOTHING: Final[dict[str, Any]] = {
    "at": 0,
    "from_line": None,
    "to_line": None,
    "event": None,
    "missed": 0,
    "missed_events": 0,
    "received": None,
    "replay": None,
}
"""An answer of `Watch` without anything in it."""


class _Piece:
    """Bytes of one direction, or an event, or how much is missing here."""

    __slots__ = ("at", "data", "event", "line", "missed", "missed_events")

    def __init__(
        self,
        at: int,
        line: str = "",
        data: bytearray | None = None,
        event: PortEvent | None = None,
    ) -> None:
        self.at = at
        """Microseconds since 1970."""
        self.line = line
        """`from_line` or `to_line`."""
        self.data = data
        self.event = event
        self.missed = 0
        self.missed_events = 0

    @property
    def size(self) -> int:
        """What it counts for."""
        return len(self.data) if self.data is not None else EVENT_BYTES


class Watcher:
    """A tap that keeps what happens at a port until a caller has taken it, within bounds.

    `data` is whether it wants bytes, `clients` whether also those that clients send.
    """

    def __init__(self, *, data: bool, clients: bool) -> None:
        self._data = data
        self._clients = data and clients
        self._waiting: deque[_Piece] = deque()
        self.counters: Counters | None = None
        """Of the port, which counts what is missed there."""
        self.size = 0
        """What waits, in bytes."""
        self._dropping = False
        self._ended = False
        self._something = asyncio.Event()

    def from_line(self, data: bytes) -> None:
        """See `Tap`."""
        if self._data:
            self._keep("from_line", data)

    def to_line(self, data: bytes) -> None:
        """See `Tap`."""
        if self._clients:
            self._keep("to_line", data)

    def _keep(self, line: str, data: bytes) -> None:
        if self._full(len(data)):
            self._gap().missed += len(data)
            if self.counters is not None:
                self.counters.missed += len(data)
            return
        last = self._waiting[-1] if self._waiting else None
        if last is not None and last.line == line and last.data is not None:
            last.data += data
        else:
            self._put(_Piece(_now(), line, bytearray(data)))

    def happened(self, event: PortEvent) -> None:
        """See `Tap`."""
        if self._full(EVENT_BYTES):
            self._gap().missed_events += 1
        else:
            self._put(_Piece(_now(), event=event))

    def _full(self, size: int) -> bool:
        if self._dropping:
            self._dropping = self.size > LOW_BYTES
        elif self.size + size > HIGH_BYTES:
            self._dropping = True
        if not self._dropping:
            self.size += size
        return self._dropping

    def _gap(self) -> _Piece:
        last = self._waiting[-1] if self._waiting else None
        if last is None or not (last.missed or last.missed_events):
            last = _Piece(_now())
            self.size += last.size
            self._put(last)
        return last

    def _put(self, piece: _Piece) -> None:
        self._waiting.append(piece)
        self._something.set()

    def end(self) -> None:
        """Nothing follows."""
        self._ended = True
        self._something.set()

    async def take(self) -> dict[str, Any] | None:
        """The next answer of `Watch`, once there is something to tell; None at the end."""
        while not self._waiting:
            if self._ended:
                return None
            self._something.clear()
            await self._something.wait()
        piece = self._waiting.popleft()
        self.size -= piece.size
        answer = {
            **NOTHING,
            "at": piece.at,
            "missed": piece.missed,
            "missed_events": piece.missed_events,
        }
        if piece.data is not None:
            answer[piece.line] = _base64(piece.data)
        if piece.event is not None:
            answer["event"] = _plain(piece.event)
        return answer


def _now() -> int:
    return time.time_ns() // 1000


def _plain(event: PortEvent) -> dict[str, Any]:
    """An event, as `type Event` of the interface has it."""
    errors = event.errors
    return {
        "kind": event.kind.value,
        "text": event.text,
        "peer": event.peer,
        "name": event.name,
        "face": event.face,
        "line": str(event.settings) if event.settings is not None else None,
        "signals": signal_names(event.signals) if event.signals is not None else None,
        "errors": _counts(errors) if errors is not None else None,
        "count": event.count,
    }


def _counts(errors: LineErrors) -> dict[str, int]:
    return {
        "breaks": errors.break_,
        "framing": errors.framing,
        "parity": errors.parity,
        "overruns": errors.overrun,
        "buffer_overruns": errors.buffer_overrun,
    }


class Following:
    """Has a watcher at the port `name` for the length of a `with` block, also when a reload puts
    another port in its place. Entering raises CallError when there is no such port."""

    def __init__(self, gateway: Gateway, name: str, watcher: Watcher) -> None:
        self._gateway = gateway
        self._name = name
        self._tap = watcher
        self._port: Port | None = None

    def __enter__(self) -> Following:
        self._find()
        if self._port is None:
            raise self._no_port()
        self._gateway.observers.append(self._find)
        return self

    def _find(self) -> None:
        served = self._gateway.served.get(self._name)
        port = served.port if served is not None else None
        if port is self._port:
            return
        if self._port is not None:
            self._port.hub.remove(self._tap)
        self._port = port
        self._tap.counters = port.counters if port is not None else None
        if port is not None:
            port.hub.add(self._tap, signals=True, errors=True)
        else:
            self._tap.end()

    def _no_port(self) -> CallError:
        return CallError(interface.NO_SUCH_PORT, {"port": self._name})

    def begin(self, *, replay: bool = False) -> dict[str, Any]:
        """The first answer of `Watch`; `replay` for what the device said last as well."""
        received = self._port.counters.from_device if self._port is not None else 0
        ring = self._gateway.served[self._name].ring if replay else None
        last = _base64(ring.last()) if ring is not None else None
        return {**NOTHING, "at": _now(), "received": received, "replay": last}

    async def take(self) -> dict[str, Any]:
        """The next answer of `Watch`. Raises CallError when the port is no more."""
        answer = await self._tap.take()
        if answer is None:
            raise self._no_port()
        return answer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gateway.observers.remove(self._find)
        if self._port is not None:
            self._port.hub.remove(self._tap)


class Changes:
    """Which ports have changed since one asked last; for the length of a `with` block."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._taps: dict[str, tuple[Port, _Marker]] = {}
        self._changed: set[str] = set()
        self._due: asyncio.TimerHandle | None = None
        self._ready = asyncio.Event()

    def __enter__(self) -> Changes:
        self._gateway.observers.append(self._find)
        self._find()
        return self

    def _find(self) -> None:
        """Have a tap at each port that there is now."""
        served = self._gateway.served
        for name, (port, tap) in tuple(self._taps.items()):
            if name not in served or served[name].port is not port:
                port.hub.remove(tap)
                del self._taps[name]
        for name, one in served.items():
            if name not in self._taps:
                tap = _Marker(name, self._mark)
                self._taps[name] = one.port, tap
                one.port.hub.add(tap, signals=True, errors=True)
                self._mark(name, SOON_S)
        self._wake_in(SOON_S)

    def _mark(self, name: str, delay: float) -> None:
        self._changed.add(name)
        self._wake_in(delay)

    def _wake_in(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + delay
        if self._due is not None:
            if self._due.when() <= when:
                return
            self._due.cancel()
        self._due = loop.call_at(when, self._wake)

    def _wake(self) -> None:
        self._due = None
        self._ready.set()

    @property
    def due(self) -> bool:
        """Whether a change waits to be told."""
        return self._due is not None

    async def wait(self) -> set[str]:
        """Names of ports that changed, once there are some or ports came or went."""
        await self._ready.wait()
        self._ready.clear()
        changed, self._changed = self._changed, set()
        for name in changed & self._taps.keys():
            self._taps[name][1].marked = False
        return changed

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gateway.observers.remove(self._find)
        if self._due is not None:
            self._due.cancel()
        for port, tap in self._taps.values():
            port.hub.remove(tap)


class _Marker:
    """A tap that tells that something changed: `mark(port, seconds)`, within so many seconds."""

    def __init__(self, name: str, mark: Callable[[str, float], None]) -> None:
        self.marked = False
        """Bytes went by, which was told."""
        self._name = name
        self._mark = mark

    def from_line(self, data: bytes) -> None:
        """See `Tap`."""
        if not self.marked:
            self.marked = True
            self._mark(self._name, COUNTERS_S)

    to_line = from_line

    def happened(self, event: PortEvent) -> None:
        """See `Tap`."""
        self._mark(self._name, SOON_S)


def _base64(data: bytes | bytearray) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
