"""The receiving half of a simulated UART: what it hears, holds and counts."""

from __future__ import annotations

from gatewayd.line.model import LineErrors, LineSettings
from gatewayd.value import replace
from tests.sim.wire import hearing


class SimReceiver:
    """A FIFO of `size` bytes and the running error counts."""

    def __init__(self, size: int) -> None:
        self.errors = LineErrors()
        self._size = size
        self._held = bytearray()
        self._parity_faults = 0

    @property
    def room(self) -> int:
        """Bytes that fit without an overrun."""
        return self._size - len(self._held)

    @property
    def over_half_full(self) -> bool:
        """Whether the sender should be asked to wait."""
        return len(self._held) > self._size // 2

    def inject_parity_errors(self, count: int = 1) -> None:
        """Count a parity error with each of the next `count` characters."""
        self._parity_faults += count

    def hear(self, data: bytes, sender: LineSettings, own: LineSettings) -> bytes:
        """Count the errors of `data` on the wire; return it as received."""
        table = hearing(sender, own)
        heard = [one for one in (table[byte] for byte in data) if one is not None]
        injected = min(self._parity_faults, len(heard))
        self._parity_faults -= injected
        parity = sum(one.parity_error for one in heard)
        self.errors = replace(
            self.errors,
            framing=self.errors.framing + sum(one.framing_error for one in heard),
            parity=self.errors.parity + min(parity + injected, len(heard)),
        )
        return bytes(one.byte for one in heard)

    def hear_break(self) -> bytes:
        """Count a break; return the NUL that stands for it."""
        self.errors = replace(self.errors, break_=self.errors.break_ + 1)
        return b"\0"

    def hold(self, data: bytes) -> None:
        """Keep what fits, count the rest as overrun."""
        fits = min(self.room, len(data))
        self._held += data[:fits]
        if fits < len(data):
            lost = len(data) - fits
            self.errors = replace(self.errors, overrun=self.errors.overrun + lost)

    def take(self) -> bytes:
        """Empty the FIFO."""
        data = bytes(self._held)
        self._held.clear()
        return data
