"""The interface of a line, and the callbacks of who uses it.

`serial_line.SerialPortLine` is one on a tty; the tests have one on a clock that stands still.
"""

from __future__ import annotations

from collections.abc import Callable

from gatewayd.line.model import Capabilities, LineErrors, LineSettings, Purge, Signal
from gatewayd.line.pending import Pending
from gatewayd.typed import Protocol


class Member(Protocol):
    """Who can be read together with others, in a `Gathering`."""

    def read_ready(self) -> None:
        """Read what is there."""

    def gathered_no_more(self) -> None:
        """Be read in the loop again."""


class Gathering(Protocol):
    """Where descriptors are read together, see `gatewayd.line.gather`."""

    def add(self, fd: int, member: Member) -> bool:
        """Read the descriptor here from now on; False when the kernel has no room for that. The
        member, which nobody reads yet or no more, is then read where it was."""

    def remove(self, fd: int) -> None:
        """Read it here no more."""


class LineEvents(Protocol):
    """What a line tells its user. Never called from within a call of the user's into the line, but
    for `line_refused` and `line_gathered`."""

    def line_data(self, data: bytes) -> None:
        """Bytes came from the device. Not empty."""

    def line_writable(self) -> None:
        """A `write` that took less than it was given may be tried again."""

    def line_signals(self, signals: Signal) -> None:
        """CTS, DSR, RI or CD changed; only while `watch` asks for it."""

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver's error counts grew; only while `watch` asks for it. Running counts."""

    def line_refused(self, what: str, error: OSError) -> None:
        """The driver cannot do what was asked of it ("setting the line"), and the line goes on.
        Told once for each reason."""

    def line_streams_both_ways(self) -> bool:
        """Whether so much went both ways since the last call that there can be no dialogue."""

    def line_gathered(self, place: Gathering | None) -> None:
        """The line, which streams both ways, is read there from now on, or no more."""

    def line_lost(self, cause: OSError | None) -> None:
        """The device is gone (unplugged, hung up), and the line is closed by now; or, with a
        TimeoutError, its driver does not come back from a call."""


class Line(Protocol):
    """One open serial line. All methods belong to the loop's thread and return at once.

    What the driver may take its time for is begun and returned as a Pending; None is done already.
    Such things are done in the order of the calls. No method raises because the device is gone or
    hangs: `line_lost` follows.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the driver can do."""

    def settings(self) -> LineSettings:
        """What the line is set to, as read back from the driver; once the device has gone, what was
        asked for last, as far as a line could take it."""

    def configure(self, wanted: LineSettings) -> Pending | None:
        """Apply all of `wanted` in one step, if anything differs; `settings` tells what came of it.

        What the hardware refuses stays as it was.
        """

    def signals(self) -> Signal:
        """The modem lines as last seen: at open, by `refresh`, by a watch. On a line without them
        what was last set, and CTS, DSR, CD on."""

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """Raise DTR/RTS in `on`, drop those in `off`; remembered where the line has none."""

    def set_break(self, on: bool) -> Pending | None:
        """Hold the transmit line in break, or release it."""

    def errors(self) -> LineErrors:
        """The running counts of the receiver's errors as last seen; all zero where the driver
        counts none."""

    def refresh(self) -> Pending | None:
        """See what the modem lines and the counts of errors are now."""

    def watch(self, *, signals: bool, errors: bool) -> None:
        """Report changes of modem lines and of error counts from now on, or stop it."""

    def write(self, data: bytes | memoryview) -> int:
        """Take bytes for the device; return how many were taken, 0 to len(data).

        What was taken and has not left is at most about 250 ms of the line's speed. When fewer were
        taken, `line_writable` follows, unless `line_lost` does.
        """

    def unsent(self) -> int:
        """Bytes taken by `write` that have not left yet, the driver's queue included; of a line
        that is lost those that had not left then, as far as that is known."""

    def drain(self, drained: Callable[[], None]) -> None:
        """Call `drained` once all bytes taken so far have left; within the call if they have.

        One at a time, RuntimeError otherwise. A purge of TX and loss of the line count as having
        left.
        """

    def purge(self, which: Purge) -> Pending | None:
        """Throw away what waits, in our buffers and the driver's."""

    def pause_reading(self) -> None:
        """Stop reading from the device, so that the driver's flow control acts."""

    def resume_reading(self) -> None:
        """Read again."""

    def close(self, closed: Callable[[], None] | None = None) -> None:
        """Give the device back, unsent bytes are lost; `closed` is called when it is free.

        Nothing else is called from then on; a waiting `drained` is forgotten.
        """


class Clock(Protocol):
    """The time of an event loop; asyncio's loop is one, a test's fake clock another."""

    def time(self) -> float:
        """Seconds, monotonic."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Timer:
        """Call back after `delay` seconds."""


class Timer(Protocol):
    """A pending call that can be taken back."""

    def cancel(self) -> None:
        """Do not call."""
