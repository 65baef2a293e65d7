"""The description of the interface, and whether a real gateway keeps to it."""

from __future__ import annotations

import asyncio
import socket
from datetime import datetime
from typing import Any

from gatewayd.config.problem import ConfigError, Place, Problem
from gatewayd.config.schema import Face, PortConfig
from gatewayd.control import client, interface, varlink
from gatewayd.control.varlink import Call, CallError
from gatewayd.service.commands import Commands
from gatewayd.service.gateway import Gateway
from gatewayd.service.store import Store
from tests.control.description import parse
from tests.line.pty import Pty

DESCRIBED = parse(interface.DESCRIPTION)


def test_the_descriptions_parse() -> None:
    assert DESCRIBED.name == interface.NAME
    standard = parse(varlink.SERVICE_DESCRIPTION)
    assert standard.name == varlink.SERVICE
    assert standard.methods.keys() == {"GetInfo", "GetInterfaceDescription"}


def test_every_type_that_is_named_is_there() -> None:
    def names(kind: object) -> set[str]:
        if isinstance(kind, dict):
            return {name for inner in kind.values() for name in names(inner)}
        if isinstance(kind, tuple):
            return names(kind[1])
        return {kind} if isinstance(kind, str) else set()

    used = [*DESCRIBED.types.values(), *DESCRIBED.errors.values()]
    used += [kind for both in DESCRIBED.methods.values() for kind in both]
    known = {"int", "string", "bool", *DESCRIBED.types}
    assert {name for kind in used for name in names(kind)} <= known


async def error_of(commands: Commands, call: Call) -> CallError:
    """What a call that is refused is refused with."""
    try:
        await commands.methods.once[call.method](call)
    except CallError as error:
        return error
    raise AssertionError(f"{call} is not refused")


async def with_a_session() -> None:
    """A gateway with a session on a PTY and a port without a device: every method and error."""
    answers: list[str | Exception] = []

    async def reload() -> str:
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    gateway = Gateway(Store())
    commands = Commands(gateway, reload)
    methods = commands.methods
    assert methods.once.keys() | methods.more.keys() == DESCRIBED.methods.keys()
    ready = asyncio.Event()
    gateway.port_observers.append(lambda _: ready.set())

    async def perform(method: str, **parameters: Any) -> dict[str, Any]:
        answer = await commands.methods.once[method](Call(method, parameters))
        assert isinstance(answer, dict)
        taken, given = DESCRIBED.methods[method]
        assert isinstance(taken, dict)
        assert DESCRIBED.fits({**dict.fromkeys(taken), **parameters}, taken)
        assert DESCRIBED.fits(answer, given), answer
        return answer

    async def refused(method: str, **parameters: Any) -> str:
        caught = await error_of(commands, Call(method, parameters))
        name = caught.name.removeprefix(f"{interface.NAME}.")
        assert DESCRIBED.fits(caught.parameters, DESCRIBED.errors[name])
        return name

    with Pty() as pty, socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        served = gateway.add(
            PortConfig("psu1", pty.path, description="a bench supply"), [(Face.RAW, listening)]
        )
        gateway.add(PortConfig("psu2", "/dev/none"), ())
        gateway.start()
        client_socket = socket.create_connection(listening.getsockname())
        async with asyncio.timeout(10):
            while served.port.owner is None:
                ready.clear()
                await ready.wait()
        status = await perform("Status")
        one, two = status["ports"]
        assert (one["session"]["face"], two["session"], two["state"]) == ("raw", None, "absent")
        assert datetime.fromisoformat(one["session"]["since"]).tzinfo is not None
        answers.append("1 added")
        assert await perform("Reload") == {"summary": "1 added"}
        answers.append(ConfigError([Problem(Place("file", 1, 2), "wrong")]))
        assert await refused("Reload") == "ConfigRejected"
        assert await refused("Kick", port="psu2") == "NotHeld"
        assert await refused("Kick", port="psu3") == "NoSuchPort"
        assert (one["watchers"], one["lease"]) == ([], None)
        about: dict[str, Any] = {"port": "psu1", "holder": "alice", "seconds": 60}
        leased = await perform("Lease", **about, note="n", host="10.0.0.1")
        assert leased["holding"] == one["session"]["peer"]
        assert (await perform("Status"))["ports"][0]["lease"] == leased["lease"]
        assert await refused("Lease", **{**about, "holder": "bob"}) == "Leased"
        assert await perform("Free", port="psu1") == {"holder": "alice"}
        assert await refused("Free", port="psu1") == "NotLeased"
        for wrong in ({"seconds": 7 * 86400 + 1}, {"holder": "\x1b"}, {"host": "lab"}):
            caught = await error_of(commands, Call("Lease", {**about, **wrong}))
            assert caught.parameters["parameter"] in wrong
        watched = gateway.attach(served, Face.WATCH, "alice")
        (watcher,) = (await perform("Status"))["ports"][0]["watchers"]
        assert (watcher["face"], watcher["peername"]) == ("watch", "alice")
        assert (await perform("Kick", port="psu1", watchers=True))["peers"] == ["alice"]
        watched.close()
        assert "peer" in await perform("Kick", port="psu1")
        assert await refused("Kick", port="psu1") == "NotHeld"
        client_socket.close()
        await gateway.stop()
    commands = Commands(gateway, None)
    assert await refused("Reload") == "NoConfigFile"


def test_every_answer_is_as_described() -> None:
    asyncio.run(with_a_session())


def test_what_the_commands_print_of_an_error() -> None:
    assert str(client.Refused("NoSuchPort", {"port": "x"})) == "there is no port x"
    assert str(client.Refused("NotHeld", {"port": "x"})) == "nobody holds port x"
    assert "without a configuration file" in str(client.Refused("NoConfigFile", {}))
    assert str(client.Refused("Odd", {"why": "so"})) == "Odd: why so"
