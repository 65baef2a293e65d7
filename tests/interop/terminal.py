"""An interactive program on a terminal of its own, typed into and read by a test."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import termios
from collections.abc import Sequence
from time import monotonic
from types import TracebackType

from tests.until import PATIENCE


class Terminal:
    """Runs `argv` with a PTY as its controlling terminal, for the length of a `with` block."""

    def __init__(self, *argv: str) -> None:
        self.argv = argv
        self.screen = bytearray()
        """What the program printed and `expect` has not consumed."""

    def __enter__(self) -> Terminal:
        self._master, slave = os.openpty()
        try:
            self.process = subprocess.Popen(
                ["setsid", "--ctty", *self.argv],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env={**os.environ, "TERM": "dumb", "LC_ALL": "C"},
            )
        finally:
            os.close(slave)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._master)  # hangs up, which ends the program
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def type(self, data: bytes) -> None:
        """Press keys; Return is CR."""
        while data:
            data = data[os.write(self._master, data) :]

    def expect(self, pattern: bytes) -> re.Match[bytes]:
        """Wait until the program has printed `pattern`; it and all before it is consumed."""
        deadline = monotonic() + PATIENCE
        while not (match := re.search(pattern, bytes(self.screen), re.DOTALL)):
            if not self._more(deadline):
                raise AssertionError(f"{self._name} never printed {pattern!r}: {self.screen!r}")
        del self.screen[: match.end()]
        return match

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed by itself."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def wait(self) -> int:
        """Wait for the end of the program; its exit status."""
        deadline = monotonic() + PATIENCE
        while self._more(deadline):
            pass
        return self.process.wait(max(0.1, deadline - monotonic()))

    @property
    def _name(self) -> str:
        return " ".join(self.argv)

    def _more(self, deadline: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._master, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - monotonic())):
                return False
        try:
            self.screen += os.read(self._master, 65536)
        except OSError:  # EIO: the program has ended
            return False
        return True


def run(argv: Sequence[str], given: bytes = b"") -> bytes:
    """Run a program to its end with `given` on its standard input; what it wrote."""
    done = subprocess.run(argv, input=given, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
