"""The far end of a serial line, in the hands of a test."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import selectors
import subprocess
import termios
import tty
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from tests import master
from tests.until import PATIENCE


class Instrument:
    """What sits behind the gateway's line: reads what the gateway wrote to it and answers.

    Owns `descriptor`, a tty in raw mode or the master of a PTY.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        os.set_blocking(descriptor, False)
        self._read_ahead = bytearray()

    @classmethod
    def on_tty(cls, path: Path) -> Instrument:
        """Open the tty at `path` in raw mode."""
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(descriptor)
        return cls(descriptor)

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes that came from the gateway. Fails when they do not come."""
        deadline = monotonic() + PATIENCE
        while len(self._read_ahead) < count:
            self._more(deadline, f"{count} bytes")
        return self._take(count)

    def read_until(self, end: bytes) -> bytes:
        """Everything up to and with `end`. Fails when it does not come."""
        deadline = monotonic() + PATIENCE
        while (found := self._read_ahead.find(end)) < 0:
            self._more(deadline, repr(end))
        return self._take(found + len(end))

    def read_forever(self) -> Iterator[bytes]:
        """Chunks as they come."""
        while True:
            if not self._read_ahead:
                self._more(monotonic() + PATIENCE, "anything")
            yield self._take(len(self._read_ahead))

    def write(self, data: bytes) -> None:
        """Send all of `data` towards the gateway. Fails when it is not taken."""
        rest = memoryview(data)
        while rest:
            if not self._ready(selectors.EVENT_WRITE, monotonic() + PATIENCE):
                raise AssertionError(f"{len(rest)} of {len(data)} bytes were not taken")
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self.descriptor, rest) :]

    def write_until_full(self, chunk: bytes, quiet: float) -> int:
        """Send `chunk` over and over until nothing was taken for `quiet` seconds; the count."""
        sent = 0
        while self._ready(selectors.EVENT_WRITE, monotonic() + quiet):
            with contextlib.suppress(BlockingIOError):
                sent += os.write(self.descriptor, chunk[sent % len(chunk) :])
        return sent

    def termios(self) -> list[object]:
        """The line's settings in the kernel; only a PTY's master sees those of its other end."""
        return list(termios.tcgetattr(self.descriptor))

    def baudrate(self) -> int:
        """The line's speed in the kernel, seen like `termios`, non-standard speeds too."""
        settings = array.array("I", bytes(44))  # struct termios2; its last word is c_ospeed
        fcntl.ioctl(self.descriptor, 0x802C542A, settings)  # TCGETS2
        return settings[10]

    def close(self) -> None:
        """Hang up."""
        os.close(self.descriptor)

    def _more(self, deadline: float, what: str) -> None:
        if not self._ready(selectors.EVENT_READ, deadline):
            seen = bytes(self._read_ahead)
            raise AssertionError(f"waited for {what}, got {len(seen)} bytes: ...{seen[-200:]!r}")
        self._read_ahead += master.read(self.descriptor, 65536, deadline)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._read_ahead[:count])
        del self._read_ahead[:count]
        return taken

    def _ready(self, event: int, deadline: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self.descriptor, event)
            return bool(selector.select(max(0.0, deadline - monotonic())))


@contextlib.contextmanager
def socat(near: str, far: str) -> Iterator[None]:
    """Run socat between two of its addresses; it is moving data when the context is entered."""
    with subprocess.Popen(
        ["socat", "-d", "-d", near, far], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "starting data transfer" in line:
                break
        else:
            raise AssertionError(f"socat did not start: {said}")
        try:
            yield
        finally:
            process.terminate()


@contextlib.contextmanager
def socat_line(directory: Path) -> Iterator[tuple[Path, Instrument]]:
    """A line of two PTYs joined by socat: the path for the gateway, and the other end."""
    near, far = directory / "line", directory / "instrument"
    with socat(f"PTY,rawer,link={near}", f"PTY,rawer,link={far}"):
        instrument = Instrument.on_tty(far)
        try:
            yield near, instrument
        finally:
            instrument.close()


@contextlib.contextmanager
def bare_line() -> Iterator[tuple[Path, Instrument]]:
    """A line of one PTY, whose master shows the settings that the gateway made."""
    master, slave = os.openpty()
    tty.setraw(slave)
    instrument = Instrument(master)
    try:
        yield Path(os.ttyname(slave)), instrument
    finally:
        instrument.close()
        os.close(slave)
