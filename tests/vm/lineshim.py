"""Wires with modem lines for QEMU's 16550A: the test's side of lineshim.c."""

from __future__ import annotations

import mmap
import os
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path

from tests.vm.wire import Framing

INPUTS = {
    "cts": termios.TIOCM_CTS,
    "dsr": termios.TIOCM_DSR,
    "dcd": termios.TIOCM_CAR,
    "ri": termios.TIOCM_RNG,
}
SPEEDS = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdigit()
}
SIZES = {termios.CS5: 5, termios.CS6: 6, termios.CS7: 7, termios.CS8: 8}


class UartWire:
    """The far end of one emulated 16550A: a PTY, with the rest in memory shared with QEMU.

    QEMU tells mark and space parity as odd and even, and of a break only its start.
    """

    def __init__(self, name: str, folder: Path, changed: int) -> None:
        self.name = name
        self._changed = changed
        self._fd, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self._fd, False)
        self.path = os.ttyname(self._far)
        with (folder / os.path.basename(self.path)).open("w+b") as file:
            file.truncate(mmap.PAGESIZE)
            self._shared = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self._received = bytearray()
        self.set_inputs(cts=True, dsr=True, dcd=True)

    def _field(self, index: int) -> int:
        value: int = struct.unpack_from("<I", self._shared, 4 * index)[0]
        return value

    @property
    def dtr(self) -> bool:
        """Whether the guest has DTR on."""
        return bool(self._field(1) & termios.TIOCM_DTR)

    @property
    def rts(self) -> bool:
        """Whether the guest has RTS on."""
        return bool(self._field(1) & termios.TIOCM_RTS)

    @property
    def breaks(self) -> int:
        """How many breaks the guest has started."""
        return self._field(2)

    @property
    def framing(self) -> Framing:
        """What the guest has programmed into the UART."""
        flags = self._field(3)
        parity = "O" if flags & termios.PARODD else "E"
        return Framing(
            SPEEDS.get(self._field(4), 0),
            SIZES[flags & termios.CSIZE],
            parity if flags & termios.PARENB else "N",
            2 if flags & termios.CSTOPB else 1,
        )

    def set_inputs(self, **lines: bool) -> None:
        """Drive the guest's `cts`, `dsr`, `dcd` and `ri`."""
        value = self._field(0)
        for name, on in lines.items():
            value = value | INPUTS[name] if on else value & ~INPUTS[name]
        struct.pack_into("<I", self._shared, 0, value)

    def send(self, data: bytes) -> None:
        """Send to the guest as fast as it takes the data; a full minute without any is an error."""
        while data:
            if not select.select([], [self._fd], [], 60.0)[1]:
                raise TimeoutError(f"the guest leaves {len(data)} bytes")
            data = data[os.write(self._fd, data) :]

    def take(self) -> bytes:
        """What the guest has sent and nobody took yet."""
        self._fetch(0)
        data = bytes(self._received)
        self._received.clear()
        return data

    def expect(self, what: bytes, timeout: float = 20.0) -> bytes:
        """Wait for `what` from the guest; return and consume everything up to its end."""
        deadline = time.monotonic() + timeout
        while what not in self._received:
            if not self._fetch(deadline - time.monotonic()):
                raise TimeoutError(f"{len(self._received)} bytes: {self._received[-80:]!r}")
        end = self._received.index(what) + len(what)
        data = bytes(self._received[:end])
        del self._received[:end]
        return data

    def _fetch(self, timeout: float) -> bool:
        """Read what is there, or wait for it; whether there was something."""
        if not select.select([self._fd], [], [], max(timeout, 0))[0]:
            return False
        self._received += os.read(self._fd, 1 << 16)
        return True

    def wait(self, predicate: Callable[[UartWire], bool], timeout: float = 20.0) -> None:
        """Wait until `predicate` holds of this wire."""
        deadline = time.monotonic() + timeout
        while not predicate(self):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"{self.framing} dtr={self.dtr} rts={self.rts} breaks={self.breaks}"
                )
            if select.select([self._changed], [], [], left)[0]:
                os.eventfd_read(self._changed)

    def close(self) -> None:
        """Take the wire away."""
        os.close(self._fd)
        os.close(self._far)
        self._shared.close()


class LineShim:
    """The wires of one machine; compiles lineshim.c, into `cache`."""

    def __init__(self, cache: Path, count: int) -> None:
        library = cache / "lineshim.so"
        source = Path(__file__).with_name("lineshim.c")
        if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
            new = cache / f"lineshim.{os.getpid()}"
            flags = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
            subprocess.run(["cc", *flags, "-o", str(new), str(source), "-ldl"], check=True)
            new.replace(library)
        self._folder = Path(tempfile.mkdtemp(prefix="lineshim."))
        self.changed = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """An eventfd for QEMU to inherit."""
        self.environment = {
            "LD_PRELOAD": str(library),
            "LINESHIM_DIR": str(self._folder),
            "LINESHIM_EVENTFD": str(self.changed),
        }
        self.wires = [UartWire(f"uart{i}", self._folder, self.changed) for i in range(count)]

    def close(self) -> None:
        """Take the wires away."""
        for wire in self.wires:
            wire.close()
        os.close(self.changed)
        shutil.rmtree(self._folder)
