"""Sessions through which bytes go both ways, without a pause, while a test does something else."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from gatewayd.comport.wire import Command
from tests.same import same
from tests.service.adapter import Adapter
from tests.service.client import Client
from tests.spell import pace_beside
from tests.until import PATIENCE

BAUD: Final = 19200
PIECE: Final = 40
"""Bytes each way at a time: 2 kB a second."""
PACE_S: Final = 0.02


class Flow:
    """One session of the RFC 2217 face, and what its two ends have said and heard."""

    def __init__(self, client: Client, adapter: Adapter, seed: str) -> None:
        self._client = client
        self._adapter = adapter
        self._source = random.Random(seed)
        self._down, self._up = bytearray(), bytearray()
        """What client and device have said."""
        self._heard = bytearray()
        """What came to the device."""
        self._to_send, self._to_write = b"", b""
        self._last = time.monotonic()
        self.longest_s = 0.0
        """The longest time in which nothing came to the client."""
        assert client.ask(Command.SET_BAUDRATE, BAUD) == BAUD
        client.socket.setblocking(False)
        os.set_blocking(adapter.master, False)

    def say(self) -> None:
        """Have both ends say something."""
        self._down += (piece := self._source.randbytes(PIECE))
        self._to_send += self._client.talk.engine.encode(piece)
        self._up += (piece := self._source.randbytes(PIECE))
        self._to_write += piece

    def move(self) -> None:
        """Send and take what can be at once."""
        client, master = self._client, self._adapter.master
        with contextlib.suppress(BlockingIOError):
            while self._to_send:
                sent = client.socket.send(self._to_send)
                self._to_send = self._to_send[sent:]
        with contextlib.suppress(BlockingIOError):
            while self._to_write:
                self._to_write = self._to_write[os.write(master, self._to_write) :]
        with contextlib.suppress(BlockingIOError):
            while True:
                self._heard += os.read(master, 1 << 16)
        with contextlib.suppress(BlockingIOError):
            while True:
                data = client.socket.recv(1 << 16)
                assert data, "the session is lost"
                client.talk.hear(data)
                self.longest_s = max(self.longest_s, time.monotonic() - self._last)
                self._last = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether all that was said was heard."""
        up = len(self._client.talk.data) == len(self._up)
        return up and len(self._heard) == len(self._down)

    def check(self) -> None:
        """See that nothing was lost, and that the line is set as it was."""
        same(self._client.talk.data, self._up)
        same(self._heard, self._down)
        assert len(self._up) > PIECE
        self._client.socket.settimeout(PATIENCE)
        assert self._client.ask(Command.SET_BAUDRATE) == BAUD
        self._client.socket.close()


class Traffic:
    """Moves bytes through `flows` for the length of a `with` block, and sees that all arrive."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        self._flows = flows
        self._enough = threading.Event()
        self._trouble: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._enough.set()
        self._thread.join()
        if self._trouble is not None:
            raise self._trouble
        if error is None:
            for flow in self._flows:
                flow.check()

    def _run(self) -> None:
        try:
            while not self._enough.wait(PACE_S):
                for flow in self._flows:
                    flow.say()
                    flow.move()
            deadline = time.monotonic() + PATIENCE
            while not all(flow.over for flow in self._flows) and time.monotonic() < deadline:
                pace_beside(PACE_S)
                for flow in self._flows:
                    flow.move()
        except Exception as error:  # noqa: BLE001
            # It is the test's.
            self._trouble = error
