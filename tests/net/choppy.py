"""A channel that gives and takes everything in small pieces, and late."""

from __future__ import annotations

import asyncio
import random
import socket

from gatewayd.net.channel import Carrier, Ties


class ChoppyChannel:
    """Splits every read and write at random and delays them by some turns of the loop."""

    can_urgent = False
    can_give = False

    def __init__(self, sock: socket.socket, ties: Ties, random_: random.Random) -> None:
        self._sock = sock
        self._ties = ties
        self._random = random_
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._kept = bytearray()
        self._ended = False
        self._shut = False

    def recv(self, size: int) -> bytes:
        if not self._ended:
            try:
                data = self._sock.recv(4096)
                self._received += data
                self._ended = not data
            except BlockingIOError:
                pass
        if not self._received:
            if self._ended:
                return b""
            raise BlockingIOError
        self._ties.read_again()
        if self._random.random() < 0.3:
            raise BlockingIOError
        count = min(size, self._random.choice((1, 1, 2, 3, 7, 50, 1000)))
        data = bytes(self._received[:count])
        del self._received[:count]
        return data

    def send(self, data: bytes | bytearray) -> int:
        if self._kept or self._random.random() < 0.2:
            # Refused altogether, as by a full socket; or taken, and sent later.
            raise BlockingIOError
        count = self._random.choice((1, 2, 5, 100, len(data)))
        self._kept += data[:count]
        self._ties.wait_writable()
        return min(count, len(data))

    def pending(self) -> bool:
        return bool(self._received) or self._ended

    def kept(self) -> int:
        return len(self._kept)

    def flush(self) -> bool:
        if self._kept and self._random.random() < 0.7:
            count = self._random.choice((1, 3, 64, len(self._kept)))
            del self._kept[: self._sock.send(self._kept[:count])]
        if not self._kept and self._shut:
            self._sock.shutdown(socket.SHUT_WR)
        return not self._kept

    def shutdown(self) -> None:
        self._shut = True
        if self._kept:
            self._ties.wait_writable()
        else:
            self._sock.shutdown(socket.SHUT_WR)


def choppy(seed: int) -> Carrier:
    """Such a channel for each connection."""
    random_ = random.Random(seed)
    return lambda sock, ties: ChoppyChannel(sock, ties, random_)
