"""Random histories of a port with several clients over real connections, in one process after
another: one at most writes, each byte is accounted for, no descriptor is left, who watches reaches
nothing, and who was taken over has the port again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewayd.config.schema import (
    Address,
    Busy,
    Config,
    Face,
    Idle,
    OnBusy,
    OnUnplug,
    PortConfig,
    WhileAbsent,
)
from gatewayd.line.gather import Gatherer
from gatewayd.port import arbiter, farewell, leftover
from gatewayd.port.holder import Holder
from gatewayd.port.lease import Lease
from gatewayd.port.phase import Phase
from gatewayd.port.port import Port
from gatewayd.port.reception import Reception
from gatewayd.service import gateway, handover
from gatewayd.value import replace
from tests.net.stand import LINE, Client
from tests.ports import free_ports
from tests.service.lives import Device, Ports, Step, lived
from tests.spell import pace
from tests.until import PATIENCE, turning

STEPS: Final = (
    *("raw", "telnet") * 3,
    *("send", "send much") * 3,
    *("half-close", "close", "reset"),
    *("stall", "stall", "go on", "unplug", "open", "try"),
    *("say", "turn", "wait", "wait"),
    *("watch", "watch raw", "busy watch", "busy wait", "steal"),
    *("lease to us", "lease to others", "free", "kick watchers", "few watchers"),
    *("move", "move", "remove and add", "restart", "restart"),
    *("take over", "refuse", "hold", "drop", "leave unread", "discard", "kick"),
    *("gather", "gather", "apart"),
)
FACES: Final = (Face.RAW, Face.RFC2217, Face.WATCH, Face.WATCH_RAW)
MOST_WATCHERS: Final = 16
HISTORIES = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), min_size=20, max_size=60)

REMOVED_WITH_BYTES: Final = [
    *(("raw", 0), ("wait", 0), ("stall", 0), ("send much", 0), ("wait", 0)),
    *(("remove and add", 0), ("open", 0), ("raw", 0), ("wait", 0), ("send", 1), ("wait", 0)),
]
MOVED_UNDER_SESSIONS: Final = [
    *(("raw", 0), ("wait", 0), ("watch", 0), ("wait", 0), *(("move", face) for face in range(4))),
    *(("send much", 0), ("say", 0), ("raw", 0), ("telnet", 0), ("wait", 0), ("close", 0)),
]
RESTARTED_IN_A_STALL: Final = [
    *(("raw", 0), ("wait", 0), ("stall", 0), *(("send much", 4),) * 3, ("wait", 0), ("send", 5)),
    *(("restart", 0), ("send much", 4), ("wait", 0), ("half-close", 0), ("restart", 0)),
    *(("telnet", 0), ("watch", 0), ("wait", 0), ("restart", 0), ("go on", 0), ("wait", 0)),
    *(("say", 0), ("wait", 0), ("send much", 1), ("stall", 0), ("close", 1), ("restart", 0)),
]
RESTARTED_TWICE_IN_A_STALL: Final = [
    *(("raw", 0), ("wait", 0), ("send", 7), ("stall", 0), ("send", 7), ("reset", 0)),
    *(("restart", 0), ("raw", 0), ("wait", 0), ("send", 1), ("restart", 0)),
]
RESTARTED_WITHOUT_A_DEVICE: Final = [
    *(("raw", 0), ("wait", 0), ("send much", 0), ("unplug", 0), ("send", 4), ("restart", 0)),
    *(("send much", 4), ("try", 0), ("telnet", 0), ("restart", 0), ("open", 0), ("wait", 0)),
    *(("half-close", 4), ("restart", 0), ("send much", 1), ("wait", 0), ("wait", 0)),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.03)
    monkeypatch.setattr(farewell, "ANSWER_S", 0.02)
    monkeypatch.setattr(farewell, "TICK_S", 0.01)
    monkeypatch.setattr(farewell, "STALL_S", 0.06)
    monkeypatch.setattr(leftover, "STALL_S", 0.06)
    monkeypatch.setattr(arbiter, "YOUNG_S", 0.02)
    monkeypatch.setattr(gateway, "STOP_S", 0.02)
    monkeypatch.setattr(handover, "SETTLE_S", 0.02)


def here(number: int) -> Address:
    return Address("127.0.0.1", number)


@dataclass
class One:
    """A client; all bytes that it sends are `mark`."""

    client: Client
    mark: int
    peername: str = field(init=False)
    open: bool = True
    sent: int = 0

    def __post_init__(self) -> None:
        self.peername = "{}:{}".format(*self.client.sock.getsockname())

    def sends(self, count: int) -> None:
        if self.open:
            with contextlib.suppress(OSError):
                self.sent += self.client.sends_what_fits(bytes([self.mark]) * count)


class History:
    """A gateway with an address for each face, and what has happened there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        numbers = free_ports(len(FACES))
        at: dict[str, Any] = {
            face.value: (here(number),) for face, number in zip(FACES, numbers, strict=True)
        }
        config = PortConfig("psu1", "/dev/null", line=LINE, trust_path=True, **at)
        self.lives = Ports(Config((config,), control=None), monkeypatch)
        self.all: list[One] = []
        self.sessions: set[Holder] = set()
        """All that came to this process."""
        self.read: dict[str, int] = {}
        """Bytes that were read from each client in processes before."""
        self.lost = 0
        """Bytes that were in a line when it went."""
        self._marks = itertools.count(1)
        self.removed: list[Port] = []
        self._place: Gatherer | None = None
        self._attend(monkeypatch)

    def _attend(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Learn who comes to the port, from the first moment of each process."""
        arrive, inherit = Reception.arrive, Reception.inherit

        def arrives(clients: Reception, client: Holder) -> None:
            self.sessions.add(client)
            arrive(clients, client)

        def goes_on(clients: Reception, client: Holder, *args: Any, **kwargs: Any) -> None:
            self.sessions.add(client)
            inherit(clients, client, *args, **kwargs)

        monkeypatch.setattr(Reception, "arrive", arrives)
        monkeypatch.setattr(Reception, "inherit", goes_on)

    @property
    def port(self) -> Port:
        return self.lives.port("psu1")

    @property
    def line(self) -> Device | None:
        return self.lives.device("psu1")

    @property
    def place(self) -> Gatherer:
        """Where a client is read while its line streams both ways."""
        self._place = self._place or Gatherer(asyncio.get_running_loop())
        return self._place

    def connects(self, face: Face) -> None:
        """One more client."""
        (address,) = getattr(self.port.config, face.value)
        sock = socket.create_connection((address.host, address.port), PATIENCE)
        sock.setblocking(False)
        self.all.append(One(Client(sock), next(self._marks)))

    async def change(self, **changes: object) -> None:
        """Have other values of keys in the file."""
        config = replace(self.port.config, **changes)
        await self.lives.put_in_force(replace(self.lives.config, ports=(config,)))

    async def remove_and_add(self) -> None:
        """Serve the port no more, and another one of its name."""
        port, config = self.port, self.lives.config
        await self.lives.put_in_force(replace(config, ports=()))
        self.removed.append(port)
        await self.lives.put_in_force(config)

    def ended(self) -> None:
        """Another process goes on with everything."""
        self.read = self.count()
        self.sessions.clear()
        self._place = None

    def count(self) -> dict[str, int]:
        """How many bytes were read from each client."""
        return {**self.read, **{one.peername: one.bytes_in for one in self.sessions}}

    def look(self) -> None:
        """Two cannot hold the port at once; a port that is free is given to who would have it."""
        clients = self.port.clients
        watching = [one for one in self.sessions if one.seat.onlooker is not None]
        assert set(watching) == set(clients.watchers)
        assert not [one for one in watching if one.seat.held]
        assert not [one for one in clients.heirs if one.only_watches or one not in watching]
        assert len(watching) <= MOST_WATCHERS
        if clients.owner is None and self.port.phase is Phase.READY:
            able = [one for one in clients.heirs if not one.ended]
            assert not [one for one in able if clients.lease is None or clients.lease.admits(one)]
        holding = [session for session in self.sessions if session.seat.held]
        assert len(holding) == (self.port.owner is not None)
        if holding:
            assert holding[0] is self.port.owner

    def chosen(self, number: int) -> One | None:
        """Who does it: often the one that holds the port, since what the others do is soon told."""
        owner = self.port.owner
        if number >= 4 and owner is not None:
            return next((one for one in self.all if one.peername == owner.peername), None)
        return self.all[number % len(self.all)] if self.all else None

    async def does(self, step: str, number: int) -> None:
        port, line = self.port, self.line
        one = self.chosen(number)
        match step:
            case "raw":
                self.connects(Face.RAW)
            case "telnet":
                self.connects(Face.RFC2217)
            case "watch":
                self.connects(Face.WATCH)
            case "watch raw":
                self.connects(Face.WATCH_RAW)
            case "move":
                (another,) = free_ports(1)
                await self.change(**{FACES[number % len(FACES)].value: (here(another),)})
            case "remove and add":
                await self.remove_and_add()
            case "busy watch" | "busy wait" | "steal":
                busy = Busy(OnBusy.WATCH) if step == "busy watch" else Busy(wait=0.03)
                idle = Idle(steal=0.02) if step == "steal" else Idle()
                await self.change(busy=busy, idle=idle, takeover=False)
            case "lease to us" | "lease to others":
                host = "127.0.0.1" if step == "lease to us" else "10.0.0.1"
                lease = Lease("alice", datetime.now().astimezone(), host=host)
                port.clients.let(lease, 0.02 * (number + 1))
            case "free":
                port.clients.let(None)
            case "kick watchers":
                for watcher in port.clients.watchers:
                    port.clients.dismiss("by hand", session=watcher)
            case "few watchers":
                await self.change(watchers=number)
            case "send" if one:
                one.sends(number + 1)
            case "send much" if one:
                one.sends(50_000)
            case "half-close" if one and one.open:
                one.open = False
                # It may have been sent away with a reset.
                with contextlib.suppress(OSError):
                    one.client.half_closes()
            case "close" if one:
                one.open = False
                one.client.closes()
            case "reset" if one and one.client.sock.fileno() >= 0:
                one.open = False
                one.client.resets()
            case "stall" if line is not None:
                line.stop(True)
            case "go on" if line is not None:
                line.stop(False)
            case "unplug" if line is not None:
                self.lost += await self.lives.unplug("psu1")
            case "try" if line is None:
                self.lives.tries("psu1")
            case "open" if line is None:
                await self.lives.opens("psu1")
            case "say" if line is not None:
                line.receive(b"\x00chatter")
            case "wait":
                await pace(0.03)
            case "take over" | "refuse":
                await self.change(takeover=step == "take over")
            case "hold" | "drop":
                await self.change(on_unplug=OnUnplug() if step == "hold" else OnUnplug(0.02))
            case "leave unread":
                await self.change(while_absent=WhileAbsent.REFUSE)
            case "discard":
                await self.change(while_absent=WhileAbsent.DISCARD)
            case "kick":
                port.clients.dismiss("by hand")
            case "gather":
                port.line_gathered(self.place)
            case "apart":
                port.line_gathered(None)
            case _:
                pass
        await asyncio.sleep(0)
        self.look()

    async def ends(self) -> None:
        """All clients go, the line is there and takes everything; then the books are closed."""
        port = self.port
        if port.line is None:
            await self.lives.opens("psu1")
        line = self.line
        assert line is not None
        line.stop(False)
        for one in self.all:
            one.client.closes()
        port.clients.let(None)
        while self.lives.gateway.served["psu1"].connections():
            # One that watches in plain TCP may listen on, until it says that it is not there.
            line.receive(b"\0")
            await pace(0.005)
            self.look()
        await turning(lambda: port.outbox.empty and not line.unsent())
        assert port.owner is None
        self.judge()

    def judge(self) -> None:
        heard = b"".join(bytes(sent) for sent in self.lives.heard["/dev/null"])
        self.lives.judge("psu1", heard, {one.peername: one.mark for one in self.all})
        for one in self.all:
            assert heard.count(one.mark) <= one.sent
        ports = (*self.removed, self.port)
        discarded = sum(port.leftover.discarded for port in ports)
        assert sum(self.count().values()) == len(heard) + discarded + self.lost

    def close(self) -> None:
        for one in self.all:
            one.client.closes()
        self.lives.close()


@settings(max_examples=120, deadline=None)
@given(history=HISTORIES)
@example(history=REMOVED_WITH_BYTES)
@example(history=MOVED_UNDER_SESSIONS)
@example(history=RESTARTED_IN_A_STALL)
@example(history=RESTARTED_TWICE_IN_A_STALL)
@example(history=RESTARTED_WITHOUT_A_DEVICE)
def test_one_client_at_most_writes_and_each_byte_is_accounted_for(
    history: list[Step],
) -> None:
    lived(History, history)
