"""A line that streams both ways is read together with its client: no byte is lost or changes its
place, whatever happens meanwhile, and a dialogue after it is one again."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path
from typing import Final

from tests.same import same
from tests.service.client import closed, connect, talk
from tests.service.restarting import Bench
from tests.spell import pace
from tests.until import PATIENCE

BAUDRATE: Final = 115200
PIECE: Final = 14
GAP_S: Final = PIECE * 10 / BAUDRATE


class Way:
    """One direction of a stream: what went in, and what came out."""

    def __init__(self, into: int, out: int) -> None:
        self._into, self._out = into, out
        self._numbers = count()
        self.sent = bytearray()
        self.came = bytearray()

    def goes_on(self, size: int) -> None:
        """So many bytes more, and what there is of those before."""
        data = bytes(number % 251 for number in islice(self._numbers, size))
        self.sent += data
        while data:
            data = data[os.write(self._into, data) :]
        while select.select([self._out], [], [], 0)[0]:
            self.came += os.read(self._out, 65536)

    def ends(self) -> None:
        """All that was sent comes, as it was."""
        while len(self.came) < len(self.sent):
            ready, _, _ = select.select([self._out], [], [], PATIENCE)
            assert ready, f"{len(self.came)} of {len(self.sent)} bytes came"
            self.came += os.read(self._out, 65536)
        same(self.came, self.sent)


class Both:
    """A stream both ways between the device and the client of a bench."""

    def __init__(self, bench: Bench, client: socket.socket) -> None:
        device, peer = bench.adapter.master, client.fileno()
        self._ways = Way(device, peer), Way(peer, device)

    def stream(self, until: Callable[[], bool]) -> None:
        """At the full speed of the line."""

        async def streams() -> None:
            loop = asyncio.get_running_loop()
            began, pieces = loop.time(), 0
            async with asyncio.timeout(PATIENCE):
                while not until():
                    due = int((loop.time() - began) / GAP_S)
                    if due > pieces:
                        for way in self._ways:
                            way.goes_on((due - pieces) * PIECE)
                        pieces = due
                    await pace(GAP_S / 2)

        asyncio.run(streams())

    def ends(self) -> None:
        """Each byte has come."""
        for way in self._ways:
            way.ends()


def gathered(bench: Bench) -> bool:
    """Whether the daemon has the line and a client in one set, which is not that of the loop."""
    process = bench.manager.process
    assert process is not None
    files = Path(f"/proc/{process.pid}/fd")
    for file in files.iterdir():
        with suppress(FileNotFoundError):
            if os.readlink(file) == "anon_inode:[eventpoll]":
                info = (files.parent / "fdinfo" / file.name).read_text()
                watched = [line.split()[1] for line in info.splitlines() if line.startswith("tfd")]
                kinds = sorted(os.readlink(files / fd)[:8] for fd in watched)
                if kinds == ["/dev/pts", "socket:["]:
                    return True
    return False


@contextmanager
def streaming(bench: Bench) -> Iterator[tuple[Both, socket.socket]]:
    """A stream both ways that is gathered for it."""
    bench.write(f"line: {BAUDRATE} 8N1, raw: {bench.raw}, trust_path: true")
    bench.start_with_device()
    with connect(bench.raw) as client:
        talk(client, bench.adapter)
        both = Both(bench, client)
        both.stream(lambda: gathered(bench))
        yield both, client


def test_each_byte_arrives_and_a_dialogue_after_it_is_read_at_once(bench: Bench) -> None:
    with streaming(bench) as (both, client):
        both.ends()
        while gathered(bench):
            talk(client, bench.adapter)


def test_a_restart_in_the_middle(bench: Bench) -> None:
    with streaming(bench) as (both, client):
        bench.restart()
        both.stream(lambda: gathered(bench))
        both.ends()
        talk(client, bench.adapter)


def test_a_reload_in_the_middle_to_a_speed_at_which_it_is_none(bench: Bench) -> None:
    with streaming(bench) as (both, client):
        bench.write(f"line: {20 * BAUDRATE} 8N1, raw: {bench.raw}, trust_path: true")
        bench.reload()
        both.stream(lambda: not gathered(bench))
        both.ends()
        talk(client, bench.adapter)


def test_a_device_that_goes_in_the_middle_and_comes_back(bench: Bench) -> None:
    with streaming(bench) as (_, client):
        bench.adapter.pull()
        bench.manager.wait_for_status("absent: psu1")
        assert not gathered(bench)
        bench.adapter.plug()
        bench.manager.wait_until(lambda: "tty.psu1" in dict(bench.manager.store))
        talk_on(client, bench)


def talk_on(client: socket.socket, bench: Bench) -> None:
    """A dialogue behind what was still on its way."""
    client.sendall(b"\nagain")
    while bench.adapter.read(1) != b"\n":
        pass
    assert bench.adapter.read(5) == b"again"


def test_a_client_that_says_its_last_in_the_middle(bench: Bench) -> None:
    with streaming(bench) as (both, client):
        client.shutdown(socket.SHUT_WR)
        both.ends()
        bench.adapter.write(b"!")
        while client.recv(65536):
            pass
        assert closed(client)
    with connect(bench.raw) as client:
        talk(client, bench.adapter)
