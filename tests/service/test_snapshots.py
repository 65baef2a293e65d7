"""What another process left: one of an older version, and what is no state at all.

`snapshots` has the state of three ports as versions of these days wrote it: `telnet` with a session
that is suspended, at 38400 Bd, with an answer held back; `raw` with a session; `nobody`.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewayd.comport.wire import ANSWER, Command
from gatewayd.port.phase import Phase
from gatewayd.service import status
from gatewayd.telnet.constants import Option
from tests.net.stand import Client
from tests.port.wire import RESUME, ask, do
from tests.service.caller import Caller
from tests.service.house import House
from tests.service.keys import talk
from tests.spell import pace

SNAPSHOTS: Final = Path(__file__).parent / "snapshots"
UNDERSTOOD: Final = ("2026-11-25",)
REFUSED: Final = ("2026-11-20",)
PORTS: Final = ("telnet", "raw", "nobody")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    house = House(tmp_path, monkeypatch)
    yield house
    house.close()


def keep_state(house: House, state: bytes) -> None:
    """Have the manager keep another state."""
    house.unstore("state")
    fd = os.memfd_create("state")
    os.write(fd, state)
    house.kept["state"] = [fd]


def left(house: House, version: str, name: str) -> Client | None:
    """Have the manager keep what a process of that version left of the port `name`; its client."""
    text = (SNAPSHOTS / f"{version}.json").read_text()
    state = json.loads(text.replace("{directory}", str(house.directory)))
    state["ports"] = {"psu1": {**state["ports"][name], "device": str(house.node)}}
    keep_state(house, json.dumps(state).encode())
    house.node.touch()
    house.kept["tty.psu1"] = [os.open(house.node, os.O_RDONLY)]
    if name == "nobody":
        return None
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
        house.kept["session.psu1"] = [far.detach()]
    near.setblocking(False)
    client = Client(near)
    house.clients.append(client)
    return client


def test_all_of_them_are_tried() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {*UNDERSTOOD, *REFUSED}


@pytest.mark.parametrize("version", UNDERSTOOD)
@pytest.mark.parametrize("name", PORTS)
def test_an_older_version_is_gone_on_with(
    house: House, version: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = left(house, version, name)

    async def work() -> None:
        await house.reach(Phase.READY)
        if client is None:
            await talk(house, Caller(house.connect("rfc2217")))
        elif name == "raw":
            await client.sends(b"question")
            await house.until(lambda: house.device.sent == b"question")
            house.device.receive(b"answer")
            assert await client.gets(6) == b"answer"
        else:
            assert house.device.settings().baudrate == 38400
            caller = Caller(client)
            caller.talk.hear(do(Option.COM_PORT))
            caller.talk.engine.data_to_send()  # all of it was agreed before
            await client.sends(RESUME + ask(Command.SET_BAUDRATE))
            assert await caller.wait_for(Command.SET_PARITY + ANSWER) == 1
            assert await caller.wait_for(Command.SET_BAUDRATE + ANSWER) == 38400
        assert house.tried == []

    house.run(work)
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("version", REFUSED)
@pytest.mark.parametrize("name", PORTS)
def test_one_that_is_too_old_is_refused_and_the_port_is_as_in_the_file(
    house: House, version: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = left(house, version, name)

    async def work() -> None:
        await house.reach(Phase.READY)
        assert house.tried == []
        if client is not None:
            assert await client.gets_all() == b""
        await talk(house, Caller(house.connect("rfc2217")))
        assert house.device.settings() == house.port.config.line

    house.run(work)
    assert "cannot go on with what was handed over" in caplog.text
    assert "Traceback" not in caplog.text


# ---- no state at all

ODD: Final[st.SearchStrategy[object]] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["restore", "seated", "watching", "rfc2217", "ff"])
    | st.lists(st.integers(0, 3), max_size=2)
    | st.just({})
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in what JSON says."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*path, key))


def changed(state: Any, path: tuple[Any, ...], odd: object, *, drop: bool) -> Any:
    """The same with something else at a place, or nothing."""
    new = json.loads(json.dumps(state))
    inner = new
    for key in path[:-1]:
        inner = inner[key]
    if drop:
        del inner[path[-1]]
    else:
        inner[path[-1]] = odd
    return new


async def goes_on(house: House) -> None:
    """The port serves, whatever became of those who were there."""
    for client in house.clients:
        client.closes()
    house.clients.clear()
    await house.reach(Phase.READY)
    house.device.stop(False)
    while house.gateway.served["psu1"].connections():
        # One that watches in plain TCP may listen on, until it says that it is not there.
        house.device.receive(b"\0")
        await pace(0.005)
    json.dumps(status.describe(house.served))
    sent = len(house.device.sent)
    fresh = house.connect("raw")
    await fresh.sends(b"question")
    await house.until(lambda: house.device.sent[sent:].endswith(b"question"))
    house.device.receive(b"answer")
    assert await fresh.gets(6) == b"answer"


async def full_of_state(house: House) -> None:
    """A session that is suspended, one that watches, one that waits, bytes everywhere."""
    await house.reach(Phase.READY)
    caller = Caller(house.connect("rfc2217"))
    assert await caller.ask(Command.SET_BAUDRATE, 38400) == 38400
    house.connect("watch_raw")
    await house.until(lambda: house.port.clients.watchers)
    house.device.stop(True)
    await caller.send(b"x" * 2000)
    caller.talk.tell(Command.FLOWCONTROL_SUSPEND)
    await caller.flush()
    await house.until(lambda: house.port.owner and house.port.owner.bytes_in > 2000)
    caller.client.half_closes()
    await house.until(lambda: house.port.owner and house.port.owner.leaving)
    await house.connect("raw").sends(b"waits")
    await house.until(lambda: house.port.clients.waiting)


@pytest.mark.parametrize("what", ["changed", "cut"])
def test_a_state_that_is_wrong_costs_its_clients_at_most(
    house: House, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    house.change("watch_raw", "{other}")
    house.change("line", "115200 8N1")

    @given(st.data())
    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def each(data: st.DataObject) -> None:
        caplog.clear()
        try:
            house.run(lambda: full_of_state(house))
            house.stop()
            (fd,) = house.kept["state"]
            state = os.pread(fd, os.fstat(fd).st_size, 0)
            if what == "cut":
                state = state[: data.draw(st.integers(0, len(state) - 1))]
            else:
                told = json.loads(state)
                path = data.draw(st.sampled_from(list(places(told))))
                told = changed(told, path, data.draw(ODD), drop=data.draw(st.booleans()))
                state = json.dumps(told).encode()
            keep_state(house, state)
            house.run(lambda: goes_on(house))
        finally:
            house.close()
        assert [one.getMessage() for one in caplog.records if one.exc_info] == []

    each()
