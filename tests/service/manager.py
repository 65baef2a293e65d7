"""A service manager as far as descriptors go: it keeps what a daemon stores and passes it on."""

from __future__ import annotations

import array
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType

from tests.until import PATIENCE

_EXEC = """
import os, sys
count = int(sys.argv[1])
fds = [int(fd) for fd in sys.argv[2 : 2 + count]]
# Out of the way first: a descriptor may stand where another one must go.
beyond = max(fds, default=0) + count + 3
moved = [os.dup2(fd, beyond + number) for number, fd in enumerate(fds)]
for fd in fds:
    os.close(fd)
for number, fd in enumerate(moved):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "gatewayd", *sys.argv[2 + count :]])
"""


class Manager:
    """Starts a daemon with NOTIFY_SOCKET and LISTEN_FDS, and serves its descriptor store.

    `within` is the beginning of a command line that runs the rest of it somewhere else, and
    `environment` what the daemon has in place of our own.
    """

    def __init__(
        self,
        directory: Path,
        *,
        within: Sequence[str | Path] = (),
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._within = within
        self._environment = environment
        self.path = directory / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        # Emptied at once, as systemd does: a full queue would make the daemon wait.
        self._messages: queue.SimpleQueue[tuple[bytes, array.array[int]]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.store: list[tuple[str, int]] = []
        self.status = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run `gatewayd ARGUMENTS` and wait for READY=1."""
        fds = [fd for _, fd in self.store]
        environment = {
            **self._environment,
            "NOTIFY_SOCKET": str(self.path),
            "LISTEN_FDS": str(len(fds)),
            "LISTEN_FDNAMES": ":".join(name for name, _ in self.store),
        }
        program = [*self._within, sys.executable, "-c", _EXEC]
        command = [*program, str(len(fds)), *map(str, fds), *arguments]
        self.process = subprocess.Popen(
            command, env=environment, pass_fds=fds, stderr=subprocess.PIPE, text=True
        )
        self.wait_for("READY=1")
        return self.process

    def stop(self, *, kill: bool = False) -> str:
        """End the daemon by SIGTERM, or as a crash does; return its log."""
        assert self.process is not None
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        _, log = self.process.communicate(timeout=PATIENCE)
        self.pump()
        if not kill:
            assert self.process.returncode == 0, log
        self.process = None
        return log

    def pump(self) -> list[str]:
        """Take the messages that were sent so far; return their lines."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"MARK=1", str(self.path))
        lines: list[str] = []
        while not lines or lines[-1] != "MARK=1":
            lines += self._message()
        return lines[:-1]

    def wait_for(self, line: str) -> None:
        """Take messages until one has this line."""
        deadline = monotonic() + PATIENCE
        while line not in self._message():
            assert monotonic() < deadline, f"no {line}"

    def wait_for_status(self, text: str) -> None:
        """Take messages until STATUS= has this text."""
        self.wait_until(lambda: text in self.status)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Take messages until what they say makes `condition` true."""
        deadline = monotonic() + PATIENCE
        while not condition():
            self._message()
            assert monotonic() < deadline, self.status

    def drop(self) -> None:
        """Close what is stored, as systemd does for a service that stays stopped."""
        for _, fd in self.store:
            os.close(fd)
        self.store.clear()

    def _read(self) -> None:
        data = b""
        while data != b"END=1":
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(4 * 253))
            fds = array.array("i")
            for level, kind, packed in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(packed[: len(packed) - len(packed) % 4])
            self._messages.put((data, fds))

    def _message(self) -> list[str]:
        try:
            data, fds = self._messages.get(timeout=PATIENCE)
        except queue.Empty:
            assert self.process is not None
            self.process.kill()
            _, log = self.process.communicate()
            self.process = None
            raise AssertionError(f"the daemon says nothing more:\n{log}") from None
        lines = data.decode().splitlines()
        fields = dict(line.split("=", 1) for line in lines)
        self.status = fields.get("STATUS", self.status)
        name = fields.get("FDNAME", "stored")
        if "FDSTORE" in fields:
            self.store += [(name, fd) for fd in fds]
        if "FDSTOREREMOVE" in fields:
            for stored in [entry for entry in self.store if entry[0] == name]:
                os.close(stored[1])
                self.store.remove(stored)
        return lines

    def __enter__(self) -> Manager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"END=1", str(self.path))
        self._reader.join()
        self.drop()
        self.socket.close()
