"""Whoever is at a port has the same part there after a restart: owner, watchers, heirs, lease."""

from __future__ import annotations

import json
from time import monotonic
from typing import Final

import pytest

from gatewayd.comport.wire import Command
from gatewayd.telnet.constants import Command as TelnetCommand
from tests.cli.program import gatewayd
from tests.same import same
from tests.service.client import Client, closed, connect, receive, talk
from tests.service.restarting import Bench
from tests.until import PATIENCE

ASIDE: Final = b"you watch until it goes]"
YOURS: Final = b"it is yours now]"


def person(port: int) -> Client:
    return Client(port, com_port=False)


def test_watchers_and_owner_go_on_and_neither_loses_a_byte(bench: Bench) -> None:
    bench.write(f"rfc2217: {bench.telnet}, watch: {bench.raw}, watch_raw: {bench.spare}")
    bench.start_with_device()
    with (
        Client(bench.telnet) as owner,
        Client(bench.raw) as glass,
        connect(bench.spare) as plain,
    ):
        assert owner.ask(Command.SET_BAUDRATE, 19200) == 19200
        assert glass.ask(Command.SET_BAUDRATE, 9600) == 19200
        sent = b""
        for number in range(3):
            piece = b"%d" % number * 3000
            bench.adapter.write(piece)
            bench.restart()
            bench.adapter.write(b"after")
            sent += piece + b"after"
        same(owner.read(len(sent)), sent)
        same(glass.read(len(sent)), sent)
        same(receive(plain, len(sent)), sent)
        assert glass.ask(Command.SET_BAUDRATE, 9600) == 19200
        plain.sendall(b"not sent")
        owner.send(b"sent")
        assert bench.adapter.read(4) == b"sent"
    assert not [name for name, _ in bench.manager.store if name.startswith("watcher.")]


def test_a_person_that_was_taken_over_has_the_port_again_after_a_restart(bench: Bench) -> None:
    bench.write(f"rfc2217: {bench.telnet}, raw: {bench.raw}, busy: takeover")
    bench.start_with_device()
    with person(bench.telnet) as first, person(bench.telnet) as second:
        first.read_until(ASIDE)
        with connect(bench.raw) as third:
            second.read_until(ASIDE)
            talk(third, bench.adapter)
            bench.restart()
            talk(third, bench.adapter)
        second.read_until(YOURS)
        bench.restart()
        second.send(b"mine")
        assert bench.adapter.read(4) == b"mine"
        first.send(b"not sent")
        first.read_until(b"what you type is not sent]")
        second.socket.close()
        first.read_until(YOURS)
        first.send(b"mine")
        assert bench.adapter.read(4) == b"mine"


def test_an_owner_that_cannot_be_handed_over_leaves_the_port_to_the_next(bench: Bench) -> None:
    bench.write(f"rfc2217: {bench.telnet}, raw: {bench.raw}, busy: takeover")
    bench.start_with_device()
    with person(bench.telnet) as first, Client(bench.telnet) as second:
        first.read_until(ASIDE)
        second.ask(Command.SET_BAUDRATE)
        second.send(bytes(100_000))
        second.tell(Command.SET_BAUDRATE, 19200)
        # Answered when it is read, and so after the request was.
        second.socket.sendall(bytes((TelnetCommand.IAC, TelnetCommand.AYT)))
        second.read_until(b"[psu1: yes]")
        bench.restart()
        assert closed(second.socket)
        first.read_until(YOURS)


@pytest.mark.parametrize("kill", [False, True])
def test_a_lease_outlives_a_restart_and_a_crash(bench: Bench, kill: bool) -> None:
    control = bench.directory / "control"
    bench.write(f"raw: {bench.raw}", control=control)
    bench.start_with_device()
    done = gatewayd("lease", "--as", "alice", "--for", "1h", "--control", str(control), "psu1")
    assert done.returncode == 0, done.stderr
    bench.manager.wait_until(lambda: "leases" in dict(bench.manager.store))
    bench.restart(kill=kill)
    (port,) = json.loads(gatewayd("who", "--json", "--control", str(control)).stdout)
    assert port["lease"]["holder"] == "alice"
    with connect(bench.raw) as other:
        assert closed(other)
    # What is left of another time is the time that is left.
    again = gatewayd("lease", "--as", "alice", "--for", "2s", "--control", str(control), "psu1")
    assert again.returncode == 0, again.stderr
    bench.restart(kill=kill)
    deadline = monotonic() + PATIENCE
    while json.loads(gatewayd("who", "--json", "--control", str(control)).stdout)[0]["lease"]:
        assert monotonic() < deadline
    bench.restart()
    with connect(bench.raw) as other:
        talk(other, bench.adapter)
