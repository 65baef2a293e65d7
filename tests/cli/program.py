"""The command as a process of its own, watched through what it writes."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 20.0
"""Seconds until what must happen has not happened."""


def gatewayd(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `gatewayd ARGUMENTS` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gatewayd", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Program:
    """Runs `gatewayd ARGUMENTS` for the length of a `with` block; output and log are one stream.

    The end of the block sends `stop` and fails unless it ends with status 0 and no traceback.
    """

    def __init__(self, *arguments: str, stop: signal.Signals = signal.SIGTERM) -> None:
        self.text = ""
        self._arguments = arguments
        self._stop = stop
        self._changed = threading.Condition()
        self._ended = False

    def __enter__(self) -> Program:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gatewayd", *self._arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(self._stop)
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"it does not stop:\n{self.text}") from error
        finally:
            self._reader.join(PATIENCE)
            assert self._process.stdout is not None
            self._process.stdout.close()
        assert status == 0, self.text
        assert "Traceback" not in self.text, self.text

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output has `pattern`, which it must."""
        deadline = monotonic() + PATIENCE
        with self._changed:
            while (found := re.search(pattern, self.text)) is None:
                if self._ended or not self._changed.wait(deadline - monotonic()):
                    raise AssertionError(f"{pattern!r} is not in:\n{self.text}")
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.text += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def ask(port: int, question: bytes) -> bytes:
    """One line of the answer to `question` on the raw face at `port` of the loopback interface."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(question)
        with sock.makefile("rb") as file:
            return file.readline()
