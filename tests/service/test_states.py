"""A restart in each state that a port and its clients can be in.

Afterwards all is as before, and no byte is lost or comes twice, whichever buffer it was in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewayd.comport.wire import ANSWER, Command, Control, ModemState
from gatewayd.line.model import OUTPUT_SIGNALS, Signal
from gatewayd.port.phase import Phase
from gatewayd.telnet.constants import Option, Side
from tests.net.stand import Client
from tests.same import same
from tests.service.caller import Caller
from tests.service.house import House
from tests.service.keys import talk

PHASES = (Phase.READY, Phase.ABSENT, Phase.OPENING, Phase.STUCK)
each_phase = pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.value)
EVERY_BYTE = bytes(range(256))
NOTIFICATION = Command.NOTIFY_MODEMSTATE + ANSWER

Work = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    house = House(tmp_path, monkeypatch)
    yield house
    house.close()


def state(house: House) -> dict[str, Any]:
    """All that a restart must leave alone, but for bytes, which move."""
    port, line = house.port, house.port.line
    owner, clients = port.owner, port.clients
    moving = {"unsent", "held", "undecided"}
    return {
        "phase": port.phase,
        "settings": port.settling.settings(),
        "outputs": port.settling.signals() & OUTPUT_SIGNALS,
        "breaking": port.settling.breaking,
        "device": line and (house.device.settings(), house.device.outputs, house.device.breaking),
        "owner": owner and {k: v for k, v in owner.snapshot().items() if k not in moving},
        "leaving": owner and clients.leaving(owner),
        "line held": port.line_gate.held,
        "waiting": [(one.face, one.peername, one.since) for one in clients.waiting],
        "watching": [(one.face, one.peername, one.missed) for one in clients.watchers],
        "counters": vars(port.counters),
        "discarded": port.leftover.discarded,
    }


def restarted(house: House, before: Work, after: Work, *, settled: Work | None = None) -> None:
    """Restart between the two, twice; `settled` is waited for before states are compared."""
    states = []

    async def look() -> None:
        if settled is not None:
            await settled()
        states.append(state(house))

    house.run(before)
    house.run(look)
    for _ in range(2):
        house.stop()
        house.run(look)
    assert states[1] == states[0]
    assert states[2] == states[0]
    house.run(after)


# ---- phases of the device


@each_phase
@pytest.mark.parametrize("between", ["restore", "keep"])
def test_nobody_is_there(house: House, phase: Phase, between: str) -> None:
    async def before() -> None:
        caller = Caller(house.connect("rfc2217"))
        assert await caller.ask(Command.SET_BAUDRATE, 38400) == 38400
        await caller.ask(Command.SET_CONTROL, Control.DTR_OFF)
        caller.client.closes()
        await house.until(lambda: house.port.owner is None and house.port.outbox.empty)
        await house.come(Phase.ABSENT if phase is not Phase.READY else phase)
        await house.come(phase)

    async def after() -> None:
        await house.come(Phase.READY)
        assert house.device.settings().baudrate == (9600 if between == "restore" else 38400)
        await talk(house, Caller(house.connect("rfc2217")))

    house.change("between_sessions", between)
    restarted(house, before, after, settled=lambda: house.reach(phase))


@each_phase
def test_a_session_with_settings_signals_masks_and_a_break(house: House, phase: Phase) -> None:
    callers: list[Caller] = []

    async def before() -> None:
        caller = Caller(house.connect("rfc2217"))
        callers.append(caller)
        assert await caller.ask(Command.SET_BAUDRATE, 38400) == 38400
        assert await caller.ask(Command.SET_DATASIZE, 7) == 7
        await caller.ask(Command.SET_CONTROL, Control.DTR_OFF)
        await caller.ask(Command.SET_CONTROL, Control.BREAK_ON)
        await caller.ask(Command.SET_MODEMSTATE_MASK, ModemState.CTS)
        await caller.ask(Command.SET_LINESTATE_MASK, 4)
        if phase is not Phase.READY:
            await house.come(Phase.ABSENT)
            await house.come(phase)

    async def after() -> None:
        (caller,) = callers
        await house.come(Phase.READY)
        await house.until(lambda: house.device.breaking)
        assert house.device.outputs == Signal.RTS
        assert await caller.ask(Command.SET_BAUDRATE) == 38400
        assert await caller.ask(Command.SET_DATASIZE) == 7
        assert await caller.ask(Command.SET_MODEMSTATE_MASK, ModemState.CTS) == ModemState.CTS
        await caller.ask(Command.SET_CONTROL, Control.BREAK_OFF)
        await talk(house, caller)
        # It is told of CTS, and of nothing else.
        caller.talk.answers.clear()
        house.device.set_inputs(Signal.NONE, Signal.DSR)
        house.device.set_inputs(Signal.NONE, Signal.CTS)
        assert await caller.wait_for(NOTIFICATION) & ModemState.CTS == 0

    restarted(house, before, after, settled=lambda: house.reach(phase))


# ---- places of clients


def test_clients_that_wait_for_the_device_wait_on_in_their_order(house: House) -> None:
    clients: list[Client] = []

    async def before() -> None:
        await house.come(Phase.ABSENT)
        await house.come(Phase.OPENING)
        for number in range(4):
            client = house.connect("raw")
            clients.append(client)
            await client.sends(b"CMD %d\n" % number)
            if number % 2:
                client.closes()
            await house.until(lambda: len(house.port.clients.waiting) == len(clients))

    async def after() -> None:
        await house.come(Phase.READY)
        for number, client in enumerate(clients):
            sent = b"".join(b"CMD %d\n" % one for one in range(number + 1))
            await house.until(lambda sent=sent: house.device.sent == sent)  # type: ignore[misc]
            if not number % 2:
                house.device.receive(b"answer")
                assert await client.gets(6) == b"answer"
                client.closes()

    restarted(house, before, after, settled=lambda: house.reach(Phase.OPENING))


def test_a_client_that_waits_behind_one_that_leaves(house: House) -> None:
    clients: list[Client] = []

    async def before() -> None:
        house.device.stop(True)
        first = house.connect("raw")
        await first.sends(b"question")
        await house.until(lambda: house.port.owner is not None and house.port.owner.bytes_in == 8)
        first.half_closes()
        await leaving(house)
        second = house.connect("raw")
        clients.extend((first, second))
        await second.sends(b"after it")
        await house.until(lambda: house.port.clients.waiting)

    async def after() -> None:
        first, second = clients
        house.device.stop(False)
        await house.until(lambda: house.device.sent == b"question")
        house.device.receive(b"answer")
        assert await first.gets_all() == b"answer"
        await house.until(lambda: house.device.sent == b"questionafter it")
        house.device.receive(b"answer too")
        assert await second.gets(10) == b"answer too"

    restarted(house, before, after, settled=lambda: leaving(house))


async def leaving(house: House) -> None:
    port = house.port
    await house.until(lambda: port.owner is not None and port.clients.leaving(port.owner))


def test_a_half_closed_client_gets_its_answer(house: House) -> None:
    callers: list[Caller] = []

    async def before() -> None:
        caller = Caller(house.connect("rfc2217"))
        callers.append(caller)
        assert await caller.ask(Command.SET_BAUDRATE, 38400) == 38400
        # Bound to wait: what it sent has not left.
        house.device.stop(True)
        await caller.send(b"question")
        await house.until(lambda: house.port.owner is not None and house.port.owner.bytes_in > 8)
        caller.client.half_closes()

    async def after() -> None:
        (caller,) = callers
        house.device.stop(False)
        await house.until(lambda: house.device.sent == b"question")
        house.device.receive(b"answer")
        while await caller.hear():
            pass
        assert caller.talk.data == b"answer"
        await house.until(lambda: house.device.settings().baudrate == 9600)

    restarted(house, before, after, settled=lambda: leaving(house))


def test_those_who_watch_go_on_watching(house: House) -> None:
    clients: list[Client] = []

    async def before() -> None:
        owner, plain = house.connect("raw"), house.connect("watch_raw")
        clients.extend((owner, plain))
        await house.until(lambda: house.port.owner is not None and house.port.clients.watchers)
        house.device.receive(b"before, ")
        assert await plain.gets(8) == b"before, "
        assert await owner.gets(8) == b"before, "

    async def after() -> None:
        house.device.receive(b"after")
        for client in clients:
            assert await client.gets(5) == b"after"
        await clients[1].sends(b"nothing")
        await clients[0].sends(b"something")
        await house.until(lambda: house.device.sent == b"something")

    house.change("watch_raw", "{other}")
    restarted(house, before, after)


# ---- buffers


@pytest.mark.parametrize("face", ["raw", "rfc2217"])
def test_bytes_for_a_line_that_is_stuck(house: House, face: str) -> None:
    """In the driver, in the line, in the outbox and unread at the client, all at once."""
    clients: list[Client] = []
    payload = EVERY_BYTE * 40

    async def before() -> None:
        client = house.connect(face)
        clients.append(client)
        await house.until(lambda: house.port.owner)
        house.device.stop(True)
        await client.sends(
            payload.replace(b"\xff", b"\xff\xff").replace(b"\r", b"\r\0")
            if face == "rfc2217"
            else payload
        )
        await house.until(lambda: house.port.outbox.waiting)

    async def after() -> None:
        await clients[0].sends(b" and on")
        house.device.stop(False)
        await house.until(lambda: len(house.device.sent) >= len(payload) + 7)
        same(house.device.sent, payload + b" and on")

    house.change("line", "115200 8N1")

    async def read() -> None:
        # All that is going to be read.
        before = -1
        while house.port.owner is not None and before != (now := house.port.owner.bytes_in):
            before = now
            await talk_a_little(house)

    restarted(house, before, after, settled=read)


async def talk_a_little(house: House) -> None:
    """Some turns of the loop."""
    turns = iter(range(20))
    await house.until(lambda: next(turns, None) is None)


def test_bytes_for_a_client_that_does_not_read(house: House) -> None:
    clients: list[Client] = []
    sent = bytearray()

    async def before() -> None:
        client = house.connect("raw", receive_buffer=4096)
        clients.append(client)
        await house.until(lambda: house.port.owner)
        while house.device.is_read():
            house.device.receive(EVERY_BYTE * 8)
            sent.extend(EVERY_BYTE * 8)
            await asyncio.sleep(0)
        house.device.receive(b"in the receiver")
        sent.extend(b"in the receiver")

    async def after() -> None:
        # One that is there and does not read is not taken for one that is gone.
        ((_, connection),) = house.served.connections()
        assert connection.vigil is not None
        same(await clients[0].gets(len(sent)), bytes(sent))
        await clients[0].sends(b"back")
        await house.until(lambda: house.device.sent == b"back")

    async def stuck() -> None:
        await talk_a_little(house)

    restarted(house, before, after, settled=stuck)


def test_a_client_that_has_suspended(house: House) -> None:
    """Answers are held, and the line is not read."""
    callers: list[Caller] = []

    async def before() -> None:
        caller = Caller(house.connect("rfc2217"))
        callers.append(caller)
        await talk(house, caller)
        caller.talk.tell(Command.FLOWCONTROL_SUSPEND)
        caller.talk.tell(Command.SET_BAUDRATE, 38400)
        await caller.flush()
        await house.until(lambda: house.device.settings().baudrate == 38400)
        house.device.receive(b"kept ")

    async def after() -> None:
        (caller,) = callers
        house.device.receive(b"back")
        caller.talk.tell(Command.FLOWCONTROL_RESUME)
        await caller.flush()
        assert await caller.wait_for(Command.SET_BAUDRATE + ANSWER) == 38400
        assert await caller.read(9) == b"kept back"

    restarted(house, before, after)


@pytest.mark.parametrize("agrees", [True, False])
def test_data_that_waits_for_binary_to_be_agreed(
    house: House, agrees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewayd.port.telnet_face.AGREEMENT_S", 60.0 if agrees else 0.3)
    callers: list[Caller] = []

    async def before() -> None:
        caller = Caller(house.connect("rfc2217"), com_port=False)
        callers.append(caller)
        await house.until(lambda: house.port.owner)
        house.device.receive(b"one\rtwo")
        await house.until(lambda: house.port.counters.from_device == 7)

    async def after() -> None:
        (caller,) = callers
        if agrees:
            caller.talk.engine.ask(Side.REMOTE, Option.BINARY, enable=True)
            assert await caller.read(7) == b"one\rtwo"
        else:
            opening = await caller.client.gets(3 * 6 + 8)
            assert opening.endswith(b"one\r\0two")

    restarted(house, before, after)


def test_what_a_client_left_behind_for_a_line_that_is_stuck(house: House) -> None:
    """It has gone; the next one has come, and gone as well."""

    async def before() -> None:
        house.device.stop(True)
        for text in (b"first ", b"second"):
            client = house.connect("raw")
            await client.sends(text * 40)
            await house.until(lambda: house.port.owner and house.port.owner.bytes_in == 240)
            client.resets()
            await house.until(lambda: not house.port.owner)

    async def after() -> None:
        house.device.stop(False)
        await house.until(lambda: len(house.device.sent) >= 480)
        same(house.device.sent, b"first " * 40 + b"second" * 40)
        await house.until(lambda: house.port.outbox.empty)
        assert house.port.leftover.discarded == 0

    restarted(house, before, after)


def test_settings_that_a_client_left_hold_for_what_it_left(house: House) -> None:
    """Its bytes leave at its speed; then the line has that of the file."""

    async def before() -> None:
        caller = Caller(house.connect("rfc2217"))
        assert await caller.ask(Command.SET_BAUDRATE, 38400) == 38400
        house.device.stop(True)
        await caller.send(b"x" * 400)
        await house.until(lambda: house.port.owner and house.port.owner.bytes_in >= 400)
        caller.client.resets()
        await house.until(lambda: not house.port.owner)

    async def after() -> None:
        assert house.device.settings().baudrate == 38400
        house.device.stop(False)
        await house.until(lambda: house.device.settings().baudrate == 9600)
        same(house.device.sent, b"x" * 400)

    restarted(house, before, after)
