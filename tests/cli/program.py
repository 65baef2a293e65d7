"""The command as a process of its own, watched through what it writes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.until import PATIENCE
from tests.watched import Watched

ROOT: Final = Path(__file__).parents[2]


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


class Program(Watched):
    """Runs `gatewayd ARGUMENTS` for the length of a `with` block; output and log are one stream.

    The end of the block sends `stop` and fails unless it ends with status 0 and no traceback.
    `environment` is what it has beside our own.
    """

    def __init__(
        self,
        *arguments: str,
        stop: signal.Signals = signal.SIGTERM,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        argv = [sys.executable, "-m", "gatewayd", *arguments]
        whole = {**os.environ, **(environment or {})}
        super().__init__(argv, directory=ROOT, environment=whole)
        self._stop = stop

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        status = self.stop(self._stop)
        assert status == 0, self.text
        assert "Traceback" not in self.text, self.text

    def kill(self) -> None:
        """End it at once; only where the test has failed."""
        self.stop(signal.SIGKILL)


def ask(port: int, question: bytes) -> bytes:
    """One line of the answer to `question` on the raw face at `port` of the loopback interface."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(question)
        with sock.makefile("rb") as file:
            return file.readline()
