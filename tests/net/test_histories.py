"""Random histories of a port with several clients over real connections: one at most writes, and
each byte is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.config.schema import Address, Face, OnUnplug, WhileAbsent
from gatewayd.net.address import bind
from gatewayd.net.listener import Listener
from gatewayd.port import arbiter, farewell, leftover
from gatewayd.port.holder import Holder
from tests.net.stand import Client, Stand, run, standing, until

STEPS: Final = (
    *("raw", "telnet") * 3,
    *("send", "send much") * 3,
    *("half-close", "close", "reset"),
    *("stall", "go on", "unplug", "open", "try"),
    *("say", "turn", "wait", "wait"),
    *("take over", "refuse", "hold", "drop", "leave unread", "discard", "kick"),
)
HISTORIES = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), min_size=5, max_size=60)


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
    open: bool = True
    sent: int = 0

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
        self.telnet = Listener(
            stand.port,
            Face.RFC2217,
            bind(Address("127.0.0.1", 0)),
            next_number=itertools.count(1000).__next__,
            watch=stand.watch,
        )
        self.telnet.start()
        self._arrive = stand.port.clients.arrive
        stand.port.clients.arrive = self.arrives  # type: ignore[method-assign]

    def arrives(self, session: Holder) -> None:
        self.sessions.add(session)
        self._arrive(session)

    def look(self) -> None:
        """Two cannot hold the port at once."""
        holding = [session for session in self.sessions if session.seat.held]
        assert len(holding) == (self.stand.port.owner is not None)
        if holding:
            assert holding[0] is self.stand.port.owner

    async def does(self, step: str, number: int) -> None:
        port, line = self.stand.port, self.lines[-1]
        one = self.all[number % len(self.all)] if self.all else None
        match step:
            case "raw":
                self.all.append(One(self.stand.connects(), next(self._marks)))
            case "telnet":
                client = self.stand.connects(to=self.telnet)
                self.all.append(One(client, next(self._marks)))
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
        while self.stand.listener.connections or self.telnet.connections:
            await asyncio.sleep(0.005)
            self.look()
        await until(lambda: port.outbox.empty and not self.lines[-1].unsent())
        assert port.owner is None
        self.judge()

    def judge(self) -> None:
        heard = b"".join(bytes(line.sent) for line in self.lines)
        runs = [mark for mark, _ in itertools.groupby(heard)]
        assert len(runs) == len(set(runs)), "two wrote by turns"
        for one in self.all:
            assert heard.count(one.mark) <= one.sent
        read = sum(session.bytes_in for session in self.sessions)
        assert read == len(heard) + self.stand.port.leftover.discarded + self.lost

    def close(self) -> None:
        self.telnet.pause()
        for connection in tuple(self.telnet.connections):
            connection.abort()
        self.telnet.socket.close()


@settings(max_examples=120, deadline=None)
@given(history=HISTORIES)
def test_one_client_at_most_writes_and_each_byte_is_accounted_for(
    history: list[tuple[str, int]],
) -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            past = History(stand)
            try:
                for step, number in history:
                    await past.does(step, number)
                await past.ends()
            finally:
                past.close()

    run(scenario())
