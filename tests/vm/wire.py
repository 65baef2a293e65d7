"""The far end of a serial line, where the instrument would be: what the tests see and do there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal, NamedTuple, Self

LineError = Literal["overrun", "parity", "framing", "break"]


class Framing(NamedTuple):
    """What the guest has set its end to; the baud rate is the one its hardware really runs at."""

    baudrate: int = 9600
    bytesize: int = 8
    parity: str = "N"
    stopbits: float = 1

    def __str__(self) -> str:
        return f"{self.baudrate} {self.bytesize}{self.parity}{self.stopbits:g}"

    def near(self, baudrate: int, frame: str) -> bool:
        """Whether it is `frame`, such as 8N1, at `baudrate` within 1 % (divisors are whole)."""
        return abs(self.baudrate / baudrate - 1) < 0.01 and str(self).split()[1] == frame


class Change(NamedTuple):
    """One thing that the guest did to its end, and when (time.monotonic)."""

    time: float
    what: str
    value: object


class Wire:
    """The wire of a USB adapter. All that happens holds `changed`, so that it can be waited for."""

    def __init__(self, changed: threading.Condition) -> None:
        self.changed = changed
        self.framing = Framing()
        self.dtr = self.rts = self.breaking = False
        self.cts = self.dsr = self.dcd = True
        self.ri = False
        self.history: list[Change] = []
        self._received = bytearray()

    # --- what the test does ----------------------------------------------------------------------

    def set_inputs(self, **lines: bool) -> None:
        """Drive the guest's `cts`, `dsr`, `dcd` and `ri`."""
        with self.changed:
            for name, on in lines.items():
                if name not in ("cts", "dsr", "dcd", "ri"):
                    raise ValueError(name)
                setattr(self, name, on)
            self.inputs_changed()

    def send(self, data: bytes, error: LineError | None = None) -> None:
        """Send to the guest; with `error`, every byte arrives with it."""
        raise NotImplementedError

    def inputs_changed(self) -> None:
        """Tell the guest of its modem lines."""
        raise NotImplementedError

    def take(self) -> bytes:
        """What the guest has sent and nobody took yet."""
        with self.changed:
            data = bytes(self._received)
            self._received.clear()
            return data

    def expect(self, what: bytes, timeout: float = 20.0) -> bytes:
        """Wait for `what` from the guest; return and consume everything up to its end."""
        self.wait(lambda _: what in self._received, timeout)
        with self.changed:
            end = self._received.index(what) + len(what)
            data = bytes(self._received[:end])
            del self._received[:end]
            return data

    def collect(self, count: int, timeout: float = 60.0) -> bytes:
        """Wait for `count` bytes from the guest and consume them."""
        self.wait(lambda _: len(self._received) >= count, timeout)
        with self.changed:
            data = bytes(self._received[:count])
            del self._received[:count]
            return data

    def wait(self, predicate: Callable[[Self], bool], timeout: float = 20.0) -> None:
        """Wait until `predicate` holds of this wire."""
        with self.changed:
            if not self.changed.wait_for(lambda: predicate(self), timeout):
                raise TimeoutError(
                    f"{self.framing} dtr={self.dtr} rts={self.rts} breaking={self.breaking}, "
                    f"{len(self._received)} bytes: {bytes(self._received[:80])!r}"
                )

    # --- what the adapter does, holding `changed` ------------------------------------------------

    def note(self, what: str, value: object) -> None:
        """Set an attribute that the guest decides over."""
        if getattr(self, what) != value:
            setattr(self, what, value)
            self.history.append(Change(time.monotonic(), what, value))
            self.changed.notify_all()

    def receive(self, data: bytes) -> None:
        """Bytes came from the guest."""
        self._received += data
        self.changed.notify_all()

    def powered_off(self) -> None:
        """The adapter has no power."""
        for what in ("dtr", "rts", "breaking"):
            self.note(what, False)
