"""Steps of a way in, for tests: each keeps what it had, and tells how it ended."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from gatewayd.net.arrival import Arrival, MakeStep, Step
from gatewayd.net.channel import Carrier, Ties

KEY = 0x5A


class Took:
    """What steps did: `had` is what each one took, in order of their beginning."""

    def __init__(self) -> None:
        self.had: list[bytearray] = []
        self.begun = 0
        self.over = 0


class UpTo(Step):
    """Takes what comes up to `end` and that; then it has passed."""

    def __init__(self, arrival: Arrival, took: Took, end: bytes) -> None:
        super().__init__(arrival)
        self._took = took
        self._end = end
        self._had = bytearray()

    def start(self) -> None:
        self._took.begun += 1
        self._took.had.append(self._had)

    def receive(self, data: bytes) -> None:
        mine, end, rest = data.partition(self._end)
        self._had += mine + end
        if end:
            self.passes(rest)

    def passes(self, rest: bytes) -> None:
        self.arrival.passed(rest)

    def over(self) -> None:
        self._took.over += 1


class Thinking(UpTo):
    """Passes some turns of the loop later; what comes meanwhile is not its own."""

    def passes(self, rest: bytes) -> None:
        self.arrival.hold()
        self._turns = 3
        self._rest = rest
        self._think()

    def _think(self) -> None:
        self._turns -= 1
        if self._turns:
            asyncio.get_running_loop().call_soon(self._think)
        elif self.arrival.connection.stage is self.arrival:
            self.arrival.passed(self._rest)
            self.arrival.go_on()


class Ciphered(UpTo):
    """Has all that follows go through another channel."""

    def passes(self, rest: bytes) -> None:
        assert not rest
        self.arrival.layer(ciphered)
        self.arrival.passed()


class CipherChannel:
    """Each byte another, both ways; `early` was read already."""

    can_urgent = False
    can_give = False

    def __init__(self, sock: socket.socket, ties: Ties, early: bytes) -> None:
        self._sock = sock
        self._early = early
        if early:
            ties.read_again()

    def recv(self, size: int) -> bytes:
        data, self._early = self._early[:size], self._early[size:]
        return cipher(data or self._sock.recv(size))

    def send(self, data: bytes | bytearray) -> int:
        return self._sock.send(cipher(bytes(data)))

    def kept(self) -> int:
        return 0

    def flush(self) -> bool:
        return True

    def shutdown(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def pending(self) -> bool:
        return bool(self._early)


def ciphered(early: bytes) -> Carrier:
    return lambda sock, ties: CipherChannel(sock, ties, early)


def cipher(data: bytes) -> bytes:
    """Both directions."""
    return bytes(byte ^ KEY for byte in data)


def up_to(
    took: Took, end: bytes = b"\n", kind: Callable[[Arrival, Took, bytes], Step] = UpTo
) -> MakeStep:
    """Makes such a step."""
    return lambda arrival: kind(arrival, took, end)
