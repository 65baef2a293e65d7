"""What comes from the client of a connection: whether it is read, and what was put back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gatewayd.line.api import Gathering
from gatewayd.net.channel import Channel


class Inflow:
    """Reads one socket: calls `readable` when `recv` has something, while reading is on."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, readable: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._fd = fd
        self.read_ready = self._readable = readable
        """As a `gatewayd.line.api.Member`."""
        self._rest = b""
        self._again = False
        self._place: Gathering | None = None
        self.reading = False

    def take(self, channel: Channel) -> None:
        """Read by way of another channel from now on; what was put back is dropped."""
        self._channel = channel
        self._rest = b""
        self.recv = channel.recv

    def put_back(self, data: bytes) -> None:
        """Read this before anything else."""
        self._rest = data + self._rest
        self.recv = self._recv_rest
        self.again()

    @property
    def has_rest(self) -> bool:
        """Whether something that was put back is not read yet."""
        return bool(self._rest)

    def _recv_rest(self, size: int) -> bytes:
        data, self._rest = self._rest[:size], self._rest[size:]
        if not self._rest:
            self.recv = self._channel.recv
        self.again()
        return data

    def take_rest(self) -> bytes:
        """What was put back and is not read yet."""
        rest, self._rest = self._rest, b""
        self.recv = self._channel.recv
        return rest

    def again(self) -> None:
        """There is something to receive, whatever the socket says."""
        if not self._again:
            self._again = True
            self._loop.call_soon(self._read_again)

    def _read_again(self) -> None:
        self._again = False
        if self.reading:
            self._readable()

    def resume(self) -> None:
        """Read."""
        if not self.reading:
            self.reading = True
            self._loop.add_reader(self._fd, self._readable)
            if self._rest or self._channel.pending():
                self.again()

    def pause(self) -> bool:
        """Read no more; return whether we did."""
        if not self.reading:
            return False
        self.reading = False
        if self._place is None:
            self._loop.remove_reader(self._fd)
        else:
            self._leave(self._place)
        return True

    def gather(self, place: Gathering | None) -> None:
        """Be read there, together with others, for as long as much comes; None is by the loop."""
        if not self.reading or place is self._place:
            return
        if self._place is not None:
            self._leave(self._place)
        else:
            self._loop.remove_reader(self._fd)
        if place is not None and place.add(self._fd, self):
            self._place = place
        else:
            self._loop.add_reader(self._fd, self._readable)

    def _leave(self, place: Gathering) -> None:
        self._place = None
        place.remove(self._fd)

    def gathered_no_more(self) -> None:
        """See `gatewayd.line.api.Member`."""
        self.gather(None)
