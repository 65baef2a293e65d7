"""Random histories of people and scripts at the desk: they choose ports, leave for the menu, watch,
take over, are kicked and come back; of each port one at most has the line, and what is typed
anywhere else never comes to a device."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from datetime import datetime
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewayd.config.schema import Address, Config, PortConfig
from gatewayd.port import farewell, leftover
from gatewayd.port.lease import Lease
from gatewayd.service import handover
from tests.desk.hall import LINE, Person
from tests.ports import free_ports
from tests.service.lives import Ports, Step, lived
from tests.spell import pace
from tests.until import PATIENCE, turning

DEVICES: Final = {"psu1": "/dev/null", "psu2": "/dev/zero"}
PORTS: Final = tuple(DEVICES)
STEPS: Final = (
    *("goes to a port",) * 4,
    *("person", "script", "script", "watching script"),
    *("chooses", "chooses", "types", "types", "types"),
    *("menu", "leaves", "takes over", "asks who", "quits"),
    *("closes", "resets", "half-closes"),
    *("says", "unplug", "open", "wait", "wait"),
    *("lease to us", "lease to others", "free", "kick", "restart", "restart"),
)
HISTORIES = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), min_size=15, max_size=50)
TAKEN_OVER_AND_BACK: Final = [
    *(("person", 0), ("chooses", 0), ("wait", 0), ("types", 0), ("wait", 0), ("person", 1)),
    *(("chooses", 1), ("wait", 0), ("takes over", 1), ("wait", 0), ("types", 1), ("types", 0)),
    *(("wait", 0), ("menu", 1), ("wait", 0), ("types", 0), ("wait", 0), ("types", 1)),
]
LEASED_MEANWHILE: Final = [
    *(("person", 0), ("chooses", 0), ("lease to others", 0), ("script", 0), ("wait", 0)),
    *(("types", 1), ("kick", 0), ("wait", 0), ("free", 0), ("script", 2), ("wait", 0)),
]
RESTARTED: Final = [
    *(("person", 0), ("chooses", 0), ("wait", 0), ("types", 0), ("wait", 0), ("goes to a port", 0)),
    *(("goes to a port", 1), ("person", 0), ("wait", 0), ("restart", 0), ("types", 0), ("wait", 0)),
    *(("takes over", 1), ("wait", 0), ("types", 1), ("restart", 0), ("leaves", 1), ("types", 0)),
]
MARKS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ[]{}<>!$%&()*+,-:;=@^_|~"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (farewell, leftover):
        monkeypatch.setattr(module, "STALL_S", 0.06)
    monkeypatch.setattr(farewell, "QUIET_S", 0.02)
    monkeypatch.setattr(farewell, "ANSWER_S", 0.02)
    monkeypatch.setattr(farewell, "TICK_S", 0.01)
    monkeypatch.setattr(handover, "SETTLE_S", 0.02)


class One:
    """Somebody, whose bytes for a device are all `mark`."""

    def __init__(self, person: Person, mark: int) -> None:
        self.person = person
        self.mark = mark
        self.peername = "{}:{}".format(*person.sock.getsockname())
        self.open = True
        self.sent = 0

    def sends(self, data: bytes) -> None:
        """What the kernel takes; it is never much."""
        if self.open:
            with contextlib.suppress(OSError):
                taken = self.person.sends_what_fits(data)
                self.sent += data[:taken].count(self.mark)


class History:
    """A gateway with a desk, who is there, and who has had each port, one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        (number,) = free_ports(1)
        self.desk = Address("127.0.0.1", number)
        ports = [
            PortConfig(name, path, line=LINE, trust_path=True) for name, path in DEVICES.items()
        ]
        config = Config(tuple(ports), control=None, desk=(self.desk,), escape=b"\x05c")
        self.lives = Ports(config, monkeypatch)
        self.all: list[One] = []
        self._marks = iter(MARKS)

    async def comes(self, *, agrees: bool) -> One | None:
        mark = next(self._marks, None)
        if mark is None:
            return None
        sock = socket.create_connection((self.desk.host, self.desk.port), PATIENCE)
        sock.setblocking(False)
        one = One(Person(sock), mark)
        self.all.append(one)
        if agrees:
            await one.person.agrees()
        return one

    async def does(self, step: str, number: int) -> None:
        name = PORTS[number % len(PORTS)]
        port, device = self.lives.port(name), self.lives.device(name)
        one = self.all[number % len(self.all)] if self.all else None
        match step:
            case "person":
                await self.comes(agrees=True)
            case "goes to a port":
                who = await self.comes(agrees=True)
                if who is not None:
                    await pace(0.01)
                    who.sends(f"{name}\r".encode())
                    await pace(0.01)
            case "script" | "watching script":
                who = await self.comes(agrees=False)
                word = "PORT" if step == "script" else "WATCH"
                if who is not None:
                    who.sends(f"{word} {name}\r\n".encode())
                    who.sent = 0  # what a command consists of is no text for a device
            case "chooses" if one:
                before = one.sent
                one.sends(f"\r{name}\r".encode())
                # At a port it is text like any other.
                one.sent = before + 1
            case "types" if one:
                one.sends(bytes((one.mark,)) * (number + 1))
            case "menu" | "leaves" | "takes over" | "asks who" if one:
                one.sends(b"\x05c" + {"m": b"m", "l": b".", "t": b"f", "a": b"w"}[step[0]])
            case "quits" if one:
                one.sends(b"\rquit\r")
            case "closes" if one:
                one.open = False
                one.person.closes()
            case "resets" if one and one.person.sock.fileno() >= 0:
                one.open = False
                one.person.resets()
            case "half-closes" if one and one.open:
                one.open = False
                # It may have been sent away with a reset.
                with contextlib.suppress(OSError):
                    one.person.half_closes()
            case "says" if device is not None:
                device.receive(b"chatter\r\n")
            case "unplug" if device is not None:
                await self.lives.unplug(name)
            case "open" if device is None:
                await self.lives.opens(name)
            case "lease to us" | "lease to others":
                host = "127.0.0.1" if step == "lease to us" else "10.0.0.1"
                lease = Lease("alice", datetime.now().astimezone(), host=host)
                port.clients.let(lease, 0.02 * (number + 1))
            case "free":
                port.clients.let(None)
            case "kick":
                port.clients.dismiss("by hand")
            case "wait":
                await pace(0.02)
            case _:
                pass
        await asyncio.sleep(0)
        self.look()

    def look(self) -> None:
        """Who has a port, has its seat; nobody else does."""
        for name in PORTS:
            clients = self.lives.port(name).clients
            holding = [one for one in (clients.owner, *clients.watchers) if one and one.seat.held]
            assert holding == ([clients.owner] if clients.owner is not None else [])
            assert not [one for one in clients.watchers if one is clients.owner]

    def ended(self) -> None:
        """Nothing is counted by process."""

    async def ends(self) -> None:
        """All go; then nobody is at a port, and the books are closed."""
        for one in self.all:
            one.person.closes()
        for name in PORTS:
            port = self.lives.port(name)
            port.clients.let(None)
            if port.line is None:
                await self.lives.opens(name)
            await turning(lambda port=port: port.owner is None and not port.clients.watchers)  # type: ignore[misc]
            await turning(lambda port=port: port.outbox.empty)  # type: ignore[misc]
            self.judge(name)

    def judge(self, name: str) -> None:
        heard = b"".join(map(bytes, self.lives.heard[DEVICES[name]]))
        ours = bytes(byte for byte in heard if byte in MARKS)
        self.lives.judge(name, ours, {one.peername: one.mark for one in self.all})
        for one in self.all:
            assert heard.count(one.mark) <= one.sent

    def close(self) -> None:
        for one in self.all:
            one.person.closes()
        self.lives.close()


@settings(max_examples=60, deadline=None)
@given(history=HISTORIES)
@example(history=TAKEN_OVER_AND_BACK)
@example(history=LEASED_MEANWHILE)
@example(history=RESTARTED)
def test_one_at_most_has_a_line_whoever_comes_by_the_desk(history: list[Step]) -> None:
    lived(History, history)
