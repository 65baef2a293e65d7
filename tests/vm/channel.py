"""JSON over a socket to QEMU: its own monitor (QMP) and the guest's agent (qemu-guest-agent)."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.until import asked


class MachineError(RuntimeError):
    """QEMU or the guest refused something, or is gone."""


class MachineTimeoutError(MachineError):
    """QEMU or the guest did not answer in time."""


class Channel:
    """Requests and answers as JSON objects, one a line; both protocols agree on that much."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._received = b""
        self._number = 0

    def send(self, message: Mapping[str, object], prefix: bytes = b"") -> None:
        """Send one object; MachineError when nobody is there."""
        try:
            self._sock.sendall(prefix + json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise MachineError(f"QEMU is gone: {error}") from error

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next object that arrives before `deadline` (of time.monotonic)."""
        while b"\n" not in self._received:
            self._sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self._sock.recv(1 << 20)
            except TimeoutError:
                raise MachineTimeoutError("no answer") from None
            except OSError as error:
                raise MachineError(f"QEMU is gone: {error}") from error
            if not data:
                raise MachineError("QEMU is gone")
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line.rsplit(b"\xff", 1)[-1])
        return message

    def call(
        self,
        execute: str,
        arguments: Mapping[str, object],
        timeout: float,
        events: list[dict[str, Any]],
    ) -> Any:
        """Do a request and return its result; events that come meanwhile are added to `events`."""
        self._number += 1
        self.send({"execute": execute, "arguments": arguments, "id": self._number})
        deadline = time.monotonic() + timeout
        while True:
            answer = self.receive(deadline)
            if "event" in answer:
                events.append(answer)
            elif answer.get("id") == self._number:  # others answer calls that timed out
                if "error" in answer:
                    raise MachineError(f"{execute}: {answer['error']['desc']}")
                return answer["return"]

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class Monitor:
    """QMP: QEMU's own commands and events."""

    def __init__(self, sock: socket.socket) -> None:
        self._channel = Channel(sock)
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []
        self._channel.receive(time.monotonic() + 20)  # the greeting
        self("qmp_capabilities")

    def __call__(self, execute: str, /, **arguments: object) -> Any:
        """Do one command; Python's `_` stands for QMP's `-` in the names of arguments."""
        names = {name.replace("_", "-"): value for name, value in arguments.items()}
        with self._lock:
            return self._channel.call(execute, names, 60.0, self._events)

    def wait(self, event: str, timeout: float, **data: object) -> None:
        """Wait for an event whose data has all of `data`; it may have come already."""
        deadline = time.monotonic() + timeout
        with self._lock:
            while True:
                for seen in self._events:
                    if seen["event"] == event and data.items() <= seen.get("data", {}).items():
                        self._events.remove(seen)
                        return
                self._events.append(self._channel.receive(deadline))

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


class Agent:
    """The guest's agent: runs programs with exit status and output; needs no network."""

    def __init__(self, sock: socket.socket) -> None:
        self._channel = Channel(sock)
        self._lock = threading.Lock()

    def sync(self, timeout: float) -> None:
        """Wait until the agent answers. What is sent before it has started may be lost: repeat."""
        deadline = time.monotonic() + timeout
        while True:
            token = time.monotonic_ns() & 0x7FFFFFFF
            request = {"execute": "guest-sync-delimited", "arguments": {"id": token}}
            try:
                self._channel.send(request, b"\xff")
                until = min(deadline, time.monotonic() + 1.0)
                while self._channel.receive(until).get("return") != token:
                    pass
                return
            except MachineTimeoutError:
                if time.monotonic() >= deadline:
                    raise MachineTimeoutError("the guest's agent does not answer") from None

    def run(
        self, argv: Sequence[str], data: bytes, environment: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes, bytes]:
        """Run a program to its end: exit status (or minus the signal), output, error output.

        Calls from several threads overlap. The agent tells nothing by itself, so its status is
        asked for, at first often.
        """
        pid = self._call(
            "guest-exec",
            {
                "path": argv[0],
                "arg": list(argv[1:]),
                "env": [f"{name}={value}" for name, value in environment.items()],
                "input-data": base64.b64encode(data).decode(),
                "capture-output": True,
            },
        )["pid"]
        status: dict[str, Any] = {}

        def ended() -> bool:
            status.update(self._call("guest-exec-status", {"pid": pid}))
            return bool(status["exited"])

        try:
            asked(ended, first=0.01, every=0.2, seconds=timeout)
        except AssertionError:
            message = f"still running after {timeout:.0f} s: {argv}"
            raise MachineTimeoutError(message) from None
        output, errors = (
            base64.b64decode(status.get(name, "")) for name in ("out-data", "err-data")
        )
        return status.get("exitcode", -status.get("signal", 0)), output, errors

    def _call(self, execute: str, arguments: Mapping[str, object]) -> Any:
        with self._lock:
            return self._channel.call(execute, arguments, 120.0, [])

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()
