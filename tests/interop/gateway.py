"""gatewayd as a user starts it: a process of its own, watched through what it logs."""

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

from tests.interop.instrument import PATIENCE

ROOT = Path(__file__).parents[2]
LISTENING = r"(\w+) on 127\.0\.0\.1:(\d+)"
OPENED = r" open, \d+ "
CLOSED = r"session from \S+ over"


class Gateway:
    """Runs `gatewayd ARGUMENTS` for the length of a `with` block, ready when it is entered.

    It is ready when it listens on `faces` addresses and has opened `devices` devices. The end of
    the block asks it to stop, and fails unless it does, with status 0 and without a traceback.
    """

    def __init__(self, *arguments: str, faces: int, devices: int = 1) -> None:
        self.arguments = arguments
        self.faces = faces
        self.devices = devices
        self.log: list[str] = []
        self._logged = threading.Condition()
        self._ended = False

    def __enter__(self) -> Gateway:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gatewayd", *self.arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()
        try:
            self.wait_for_log(LISTENING, self.faces)
            self.wait_for_log(OPENED, self.devices)
        except BaseException:
            self.process.kill()
            self._finish()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"gatewayd does not stop:\n{self.text}") from error
        finally:
            self._finish()
        assert status == 0, self.text
        assert "Traceback" not in self.text, self.text

    @property
    def text(self) -> str:
        """The log so far."""
        return "".join(self.log)

    def port(self, face: str) -> int:
        """The TCP port of its first `rfc2217` or `raw` face."""
        return int(self.wait_for_log(LISTENING.replace(r"\w+", face))[0][2])

    def wait_for_log(self, pattern: str, times: int = 1) -> list[re.Match[str]]:
        """Wait until `times` lines of the log match `pattern`; they must come."""
        deadline = monotonic() + PATIENCE
        with self._logged:
            while len(found := list(re.finditer(pattern, self.text))) < times:
                if self._ended or not self._logged.wait(deadline - monotonic()):
                    raise AssertionError(f"{pattern!r} is not {times} times in:\n{self.text}")
        return found

    def descriptors(self) -> int:
        """How many files the process has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def resident_bytes(self) -> int:
        """The memory of the process."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._logged:
                self.log.append(line)
                self._logged.notify_all()
        with self._logged:
            self._ended = True
            self._logged.notify_all()

    def _finish(self) -> None:
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
