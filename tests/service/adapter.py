"""An adapter that can be plugged in and pulled: a PTY behind a link, as udev would make one."""

from __future__ import annotations

import os
import termios
import tty
from pathlib import Path
from types import TracebackType

from tests import master


class Adapter:
    """The device's end of a serial line; `path` is what a configuration names."""

    def __init__(self, path: Path, *, plugged: bool = True) -> None:
        self.path = path
        self.node = ""
        self.master = -1
        if plugged:
            self.plug()

    def plug(self) -> None:
        """Have it there, with settings of its own as after power-up."""
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.node = os.ttyname(slave)
        os.close(slave)
        self.path.symlink_to(self.node)

    def pull(self) -> None:
        """Take it away, as an unplugging does."""
        self.path.unlink()
        self.hang_up()

    def hang_up(self) -> None:
        """Take the device away and leave its name."""
        os.close(self.master)
        self.master = -1

    def write(self, data: bytes) -> None:
        """The device says `data`."""
        while data:
            data = data[os.write(self.master, data) :]

    def read(self, size: int) -> bytes:
        """`size` bytes that come to the device."""
        return master.read_exactly(self.master, size)

    def baudrate(self) -> int:
        """What the line is set to, as a constant of termios."""
        return int(termios.tcgetattr(self.master)[5])

    def __enter__(self) -> Adapter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.master >= 0:
            self.pull()
