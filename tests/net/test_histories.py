"""Random histories of a port with several clients over real connections: one at most writes, each
byte is accounted for, no descriptor is left, who watches reaches nothing, and who was taken over
has the port again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewayd.config.schema import Address, Busy, Face, Idle, OnBusy, OnUnplug, WhileAbsent
from gatewayd.net.address import bind
from gatewayd.net.listener import Listener
from gatewayd.port import arbiter, farewell, leftover
from gatewayd.port.holder import Holder
from gatewayd.port.lease import Lease
from gatewayd.port.phase import Phase
from gatewayd.port.port import Port
from gatewayd.service.gateway import settled
from tests.net.stand import Client, Stand, run, standing, until

STEPS: Final = (
    *("raw", "telnet") * 3,
    *("send", "send much") * 3,
    *("half-close", "close", "reset"),
    *("stall", "go on", "unplug", "open", "try"),
    *("say", "turn", "wait", "wait"),
    *("watch", "watch raw", "busy watch", "busy wait", "steal"),
    *("lease to us", "lease to others", "free", "kick watchers", "few watchers"),
    *("move", "move", "remove and add"),
    *("take over", "refuse", "hold", "drop", "leave unread", "discard", "kick"),
)
FACES: Final = (Face.RAW, Face.RFC2217, Face.WATCH, Face.WATCH_RAW)
MOST_WATCHERS: Final = 16
HISTORIES = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), min_size=5, max_size=60)

REMOVED_WITH_BYTES: Final = [
    *(("raw", 0), ("wait", 0), ("stall", 0), ("send much", 0), ("wait", 0)),
    *(("remove and add", 0), ("open", 0), ("raw", 0), ("wait", 0), ("send", 1), ("wait", 0)),
]
MOVED_UNDER_SESSIONS: Final = [
    *(("raw", 0), ("wait", 0), ("watch", 0), ("wait", 0), *(("move", face) for face in range(4))),
    *(("send much", 0), ("say", 0), ("raw", 0), ("telnet", 0), ("wait", 0), ("close", 0)),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.03)
    monkeypatch.setattr(farewell, "ANSWER_S", 0.02)
    monkeypatch.setattr(farewell, "TICK_S", 0.01)
    monkeypatch.setattr(farewell, "STALL_S", 0.06)
    monkeypatch.setattr(leftover, "STALL_S", 0.06)
    monkeypatch.setattr(arbiter, "YOUNG_S", 0.02)


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
    """A stand with a listener for each face, and what has happened there."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.all: list[One] = []
        self.sessions: set[Holder] = set()
        """All that ever came."""
        self.lost = 0
        """Bytes that were in a line when it went."""
        self.lines = [stand.line]
        self._marks = itertools.count(1)
        self._next_number = itertools.count(1000).__next__
        self.listeners = {face: self.listens(face) for face in FACES}
        self.retired: list[Listener] = []
        """Those whose address has moved."""
        self.seated: list[str] = []
        """Who held the port, one after the other, by address."""
        self.removed: list[Port] = []
        self._attend()

    def _attend(self) -> None:
        """Learn who comes to the port, and who holds it."""
        port = self.stand.port
        port.on_change = self.changes
        self._arrive = port.clients.arrive
        port.clients.arrive = self.arrives  # type: ignore[method-assign]

    def listens(self, face: Face) -> Listener:
        """At an address of its own."""
        listener = Listener(
            self.stand.port,
            face,
            bind(Address("127.0.0.1", 0)),
            next_number=self._next_number,
            watch=self.stand.watch,
        )
        listener.start()
        return listener

    def entrances(self) -> tuple[Listener, ...]:
        """Where clients came in, now and before."""
        return (self.stand.listener, *self.listeners.values(), *self.retired)

    def move(self, face: Face) -> None:
        """Have another address, as a reload does: sessions go on, who has none is sent away."""
        old = self.listeners[face]
        self.listeners[face] = self.listens(face)
        self.retired.append(old)
        old.close()
        old.send_away("this address is served no more")

    async def remove_and_add(self) -> None:
        """Serve the port no more, and another one of its name, as reloads do."""
        port = self.stand.port
        for listener in self.listeners.values():
            listener.close()
            listener.send_away("the port is closed by the gateway")
        port.clients.close()
        await settled(port, 0.02)
        port.release()
        self.retired += self.listeners.values()
        for listener in self.entrances():
            for connection in tuple(listener.connections):
                connection.abort()
        self.removed.append(port)
        self.stand.port = Port(port.config, asyncio.get_running_loop())
        self._attend()
        self.listeners = {face: self.listens(face) for face in FACES}

    def arrives(self, session: Holder) -> None:
        self.sessions.add(session)
        self._arrive(session)

    def changes(self) -> None:
        """Another one may hold the port."""
        owner = self.stand.port.owner
        if owner is None or self.seated[-1:] == [owner.peername]:
            return
        assert not owner.only_watches
        lease = self.stand.port.clients.lease
        assert lease is None or lease.admits(owner)
        self.seated.append(owner.peername)

    def look(self) -> None:
        """Two cannot hold the port at once; a port that is free is given to who would have it."""
        clients = self.stand.port.clients
        watching = [one for one in self.sessions if one.seat.onlooker is not None]
        assert set(watching) == set(clients.watchers)
        assert not [one for one in watching if one.seat.held]
        assert not [one for one in clients.heirs if one.only_watches or one not in watching]
        assert len(watching) <= MOST_WATCHERS
        if clients.owner is None and self.stand.port.phase is Phase.READY:
            able = [one for one in clients.heirs if not one.ended]
            assert not [one for one in able if clients.lease is None or clients.lease.admits(one)]
        holding = [session for session in self.sessions if session.seat.held]
        assert len(holding) == (self.stand.port.owner is not None)
        if holding:
            assert holding[0] is self.stand.port.owner

    async def does(self, step: str, number: int) -> None:
        port, line = self.stand.port, self.lines[-1]
        one = self.all[number % len(self.all)] if self.all else None
        match step:
            case "raw":
                client = self.stand.connects(to=self.listeners[Face.RAW])
                self.all.append(One(client, next(self._marks)))
            case "telnet":
                client = self.stand.connects(to=self.listeners[Face.RFC2217])
                self.all.append(One(client, next(self._marks)))
            case "move":
                self.move(FACES[number % len(FACES)])
            case "remove and add":
                await self.remove_and_add()
            case "watch" | "watch raw":
                face = Face.WATCH if step == "watch" else Face.WATCH_RAW
                client = self.stand.connects(to=self.listeners[face])
                self.all.append(One(client, next(self._marks)))
            case "busy watch" | "busy wait" | "steal":
                busy = Busy(OnBusy.WATCH) if step == "busy watch" else Busy(wait=0.03)
                idle = Idle(steal=0.02) if step == "steal" else Idle()
                self.change(busy=busy, idle=idle, takeover=False)
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
                self.change(watchers=number)
            case "send" if one:
                one.sends(number + 1)
            case "send much" if one:
                one.sends(50_000)
            case "half-close" if one and one.open:
                one.open = False
                one.client.half_closes()
            case "close" if one:
                one.open = False
                one.client.closes()
            case "reset" if one and one.client.sock.fileno() >= 0:
                one.open = False
                one.client.resets()
            case "stall":
                line.stop(True)
            case "go on":
                line.stop(False)
            case "unplug":
                if port.line is not None:
                    self.lost += line.unsent()
                line.unplug()
                await until(lambda: port.line is None)
            case "try" if port.line is None:
                self.stand.tries()
            case "open" if port.line is None:
                self.stand.plug()
                self.lines.append(self.stand.line)
            case "say" if port.line is not None:
                line.receive(b"\x00chatter")
            case "wait":
                await asyncio.sleep(0.03)
            case "take over" | "refuse":
                self.change(takeover=step == "take over")
            case "hold" | "drop":
                self.change(on_unplug=OnUnplug() if step == "hold" else OnUnplug(0.02))
            case "leave unread":
                self.change(while_absent=WhileAbsent.REFUSE)
            case "discard":
                self.change(while_absent=WhileAbsent.DISCARD)
            case "kick":
                port.clients.dismiss("by hand")
            case _:
                pass
        await asyncio.sleep(0)
        self.look()

    def change(self, **changes: object) -> None:
        port = self.stand.port
        port.reconfigure(replace(port.config, **changes))  # type: ignore[arg-type]

    async def ends(self) -> None:
        """All clients go, the line is there and takes everything; then the books are closed."""
        port = self.stand.port
        if port.line is None:
            self.stand.plug()
            self.lines.append(self.stand.line)
        self.lines[-1].stop(False)
        for one in self.all:
            one.client.closes()
        port.clients.let(None)
        while any(listener.connections for listener in self.entrances()):
            # One that watches in plain TCP may listen on, until it says that it is not there.
            self.lines[-1].receive(b"\0")
            await asyncio.sleep(0.005)
            self.look()
        await until(lambda: port.outbox.empty and not self.lines[-1].unsent())
        assert port.owner is None
        self.judge()

    def judge(self) -> None:
        heard = b"".join(bytes(line.sent) for line in self.lines)
        marks = {one.peername: one.mark for one in self.all}
        turns = iter([marks[peername] for peername in self.seated])
        runs = [mark for mark, _ in itertools.groupby(heard)]
        assert all(mark in turns for mark in runs), "one wrote out of turn"
        for one in self.all:
            assert heard.count(one.mark) <= one.sent
        read = sum(session.bytes_in for session in self.sessions)
        ports = (*self.removed, self.stand.port)
        discarded = sum(port.leftover.discarded for port in ports)
        assert read == len(heard) + discarded + self.lost

    def close(self) -> None:
        for listener in self.entrances():
            if listener not in self.retired:
                listener.close()
            for connection in tuple(listener.connections):
                connection.abort()


@settings(max_examples=120, deadline=None)
@given(history=HISTORIES)
@example(history=REMOVED_WITH_BYTES)
@example(history=MOVED_UNDER_SESSIONS)
def test_one_client_at_most_writes_and_each_byte_is_accounted_for(
    history: list[tuple[str, int]],
) -> None:
    async def scenario() -> None:
        before = len(os.listdir("/proc/self/fd"))
        async with standing(Face.RAW) as stand:
            past = History(stand)
            try:
                for step, number in history:
                    await past.does(step, number)
                await past.ends()
            finally:
                past.close()
        assert len(os.listdir("/proc/self/fd")) == before

    run(scenario())
