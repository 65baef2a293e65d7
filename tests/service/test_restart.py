"""Restarts under a manager that keeps descriptors, where not all is as it was before."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatewayd.comport.wire import ANSWER, Command, Control, ModemState
from gatewayd.service.store import STATE
from gatewayd.telnet.constants import Command as TelnetCommand
from tests.ports import free_ports
from tests.same import same
from tests.service.adapter import Adapter
from tests.service.client import Client, closed, connect, talk
from tests.service.manager import Manager
from tests.service.restarting import Bench


def test_a_suspended_session_stays_suspended(bench: Bench) -> None:
    bench.start_with_device()
    with Client(bench.telnet) as client:
        client.ask(Command.SET_BAUDRATE, 19200)
        client.tell(Command.FLOWCONTROL_SUSPEND)
        client.send(b"x")
        assert bench.adapter.read(1) == b"x"
        bench.adapter.write(b"kept")
        bench.restart()
        bench.adapter.write(b" back")
        assert not select.select([client.socket], [], [], 0)[0]
        client.tell(Command.FLOWCONTROL_RESUME)
        assert client.read(9) == b"kept back"
        assert client.ask(Command.SET_BAUDRATE) == 19200


def test_what_a_slow_line_has_not_taken_goes_on(bench: Bench) -> None:
    payload = bytes(range(256)) * 400
    bench.start_with_device()
    with connect(bench.raw) as client:
        client.sendall(payload)
        bench.restart()
        same(bench.adapter.read(len(payload)), payload)
        talk(client, bench.adapter)


def test_requests_that_wait_for_a_stuck_line_end_the_session(bench: Bench) -> None:
    """They cannot be performed by the next process: closed is better than half done."""
    bench.start_with_device()
    with Client(bench.telnet) as client:
        client.ask(Command.SET_BAUDRATE)
        client.send(bytes(100_000))
        client.tell(Command.SET_BAUDRATE, 19200)
        # Answered when it is read, and so after the request was.
        client.socket.sendall(bytes((TelnetCommand.IAC, TelnetCommand.AYT)))
        assert client.read(15) == b"\r\n[psu1: yes]\r\n"
        log = bench.restart()
        assert closed(client.socket)
    assert "psu1: the line did not take in time what the client sent: its session ends" in log
    with connect(bench.raw) as client_after:
        client_after.sendall(b"again")
        while bench.adapter.read(1) != b"a":
            pass
        assert bench.adapter.read(4) == b"gain"
    assert bench.adapter.baudrate() == termios.B9600


def test_a_session_outlives_the_address_that_it_came_by(bench: Bench) -> None:
    bench.start_with_device()
    with connect(bench.raw) as client:
        talk(client, bench.adapter)
        bench.manager.stop()
        bench.write(f"raw: {bench.spare}")
        bench.start()
        talk(client, bench.adapter)
        with pytest.raises(ConnectionRefusedError):
            connect(bench.raw)
    bench.manager.wait_for_status("0 sessions")
    with connect(bench.spare) as client:
        talk(client, bench.adapter)


def test_a_face_that_is_no_more_ends_its_session(bench: Bench) -> None:
    bench.start_with_device()
    with connect(bench.raw) as client:
        talk(client, bench.adapter)
        bench.manager.stop()
        bench.write(f"rfc2217: {bench.telnet}")
        bench.start()
        assert closed(client)
    assert "cannot go on with what was handed over" in bench.manager.stop()


def test_a_reload_and_then_a_restart(bench: Bench) -> None:
    """The listener of the session is gone already when the session is handed over."""
    bench.start_with_device()
    with connect(bench.raw) as client:
        talk(client, bench.adapter)
        bench.write(f"raw: {bench.spare}")
        bench.reload()
        talk(client, bench.adapter)
        log = bench.restart()
        assert "Traceback" not in log
        talk(client, bench.adapter)


def test_a_face_goes_by_reload_and_then_a_restart(bench: Bench) -> None:
    bench.start_with_device()
    with connect(bench.raw) as client:
        talk(client, bench.adapter)
        bench.write(f"rfc2217: {bench.telnet}")
        bench.reload()
        log = bench.restart()
        assert "Traceback" not in log
        assert closed(client)
    with Client(bench.telnet) as telnet:
        assert telnet.ask(Command.SET_BAUDRATE) == 9600


def test_a_wider_address_on_a_port_number_that_the_manager_keeps(bench: Bench) -> None:
    """The manager has a copy of the listening socket, and lets go of it when it comes to it."""
    bench.write(f"raw: 127.0.0.1:{bench.raw}")
    bench.start_with_device()
    with connect(bench.raw) as client:
        talk(client, bench.adapter)
        for host in ("0.0.0.0", "127.0.0.1"):
            bench.write(f"raw: {{listen: '{host}:{bench.raw}', clear_text: true}}")
            bench.reload()
            talk(client, bench.adapter)
            with connect(bench.raw) as refused:
                assert closed(refused)
            bench.restart()
            talk(client, bench.adapter)
    log = bench.manager.stop()
    assert "cannot listen" not in log
    names = [name for name, _ in bench.manager.store]
    assert names.count("listener.psu1") == 1


def test_a_session_waits_for_its_device_through_a_restart(bench: Bench) -> None:
    notification = Command.NOTIFY_MODEMSTATE + ANSWER
    bench.start_with_device()
    with Client(bench.telnet) as client:
        assert client.ask(Command.SET_BAUDRATE, 19200) == 19200
        assert client.ask(Command.SET_CONTROL, Control.RTS_OFF) == Control.RTS_OFF
        assert client.ask(Command.SET_MODEMSTATE_MASK, 255) == 255
        assert client.wait_for(notification) & ModemState.DSR
        bench.adapter.pull()
        assert client.wait_for(notification) & ModemState.DSR == 0
        bench.manager.wait_for_status("absent: psu1")
        bench.restart()
        assert client.ask(Command.SET_BAUDRATE) == 19200
        bench.adapter.plug()
        assert client.wait_for(notification) & ModemState.DSR
        assert bench.adapter.baudrate() == termios.B19200
        assert client.ask(Command.SET_CONTROL, Control.RTS_QUERY) == Control.RTS_OFF
        client.send(b"on")
        assert bench.adapter.read(2) == b"on"


def test_a_device_that_went_during_the_restart(bench: Bench) -> None:
    bench.start_with_device()
    with Client(bench.telnet) as client:
        assert client.ask(Command.SET_BAUDRATE, 19200) == 19200
        bench.manager.stop()
        bench.adapter.pull()
        bench.start()
        assert client.ask(Command.SET_BAUDRATE) == 19200
        bench.adapter.plug()
        bench.manager.wait_until(lambda: "tty.psu1" in dict(bench.manager.store))
        assert client.ask(Command.SET_BAUDRATE) == 19200
        assert bench.adapter.baudrate() == termios.B19200
        client.send(b"on")
        assert bench.adapter.read(2) == b"on"


def test_after_a_crash_another_device_is_configured(bench: Bench) -> None:
    """The descriptor that was left is of the device that the file named before."""
    with Adapter(bench.directory / "other") as other:
        bench.start_with_device()
        bench.manager.stop(kill=True)
        bench.write(f"raw: {bench.raw}", other.path)
        bench.start_with_device()
        bench.manager.wait_for_status("0 sessions")
        with connect(bench.raw) as client:
            talk(client, other)


def test_a_stop_ends_what_the_manager_keeps(bench: Bench) -> None:
    """After `systemctl stop` the manager closes its copies: only then are they closed."""
    bench.start_with_device()
    with Client(bench.telnet) as client:
        client.ask(Command.SET_BAUDRATE, 19200)
        bench.manager.stop()
        assert not select.select([client.socket], [], [], 0)[0]
        assert {name for name, _ in bench.manager.store} == {
            *("tty.psu1", "listener.psu1", "session.psu1", STATE)
        }
        bench.manager.drop()
        assert closed(client.socket)
        with pytest.raises(OSError, match="Input/output error"):
            os.read(bench.adapter.master, 1)


Change = Callable[[dict[str, Any]], object]
"""Makes something wrong with the state of a port that has a session."""

CHANGES: dict[str, Change] = {
    "no session": lambda port: port.pop("session"),
    "session is a number": lambda port: port.update(session=7),
    "session is a text": lambda port: port.update(session="x"),
    "session is empty": lambda port: port.update(session={}),
    "another face": lambda port: port["session"].update(face="gopher"),
    "no engine": lambda port: port["session"].pop("engine"),
    "engine is a list": lambda port: port["session"].update(engine=[]),
    "engine is empty": lambda port: port["session"].update(engine={}),
    "access is a number": lambda port: port["session"].update(access=1),
    "not a date": lambda port: port["session"].update(since="yesterday"),
    "since is a number": lambda port: port["session"].update(since=1),
    "not hexadecimal": lambda port: port["session"].update(held="xx"),
    "unsent is a number": lambda port: port["session"].update(unsent=1),
    "too many bytes": lambda port: port["session"].update(bytes_in=float("inf")),
    "no counters": lambda port: port.pop("counters"),
    "unknown counter": lambda port: port["counters"].update(odd=1),
    "counters are a list": lambda port: port.update(counters=[1]),
    "settings are a text": lambda port: port.update(settings="9600 8N1"),
    "unknown setting": lambda port: port["settings"].update(odd=1),
    "parity is a list": lambda port: port["settings"].update(parity=[]),
    "baudrate is a text": lambda port: port["settings"].update(baudrate="fast"),
    "baudrate is too much": lambda port: port["settings"].update(baudrate=10**30),
    "waiting is a list": lambda port: port.update(waiting=[]),
    "device is a list": lambda port: port.update(device=[]),
    "device is another": lambda port: port.update(device="/dev/ttyS77"),
}


def test_what_is_handed_over_is_judged_port_by_port(tmp_path: Path) -> None:
    """One port with each fault, all in one restart: no fault ends the daemon or another session."""
    names = [f"p{number}" for number in range(len(CHANGES) + 1)]
    ports = free_ports(len(names))
    adapters = [Adapter(tmp_path / name) for name in names]
    config = tmp_path / "gatewayd.yaml"
    entries = [
        f"  {name}: {{device: {adapter.path}, rfc2217: {port}}}\n"
        for name, adapter, port in zip(names, adapters, ports, strict=True)
    ]
    config.write_text("version: 1\ncontrol: none\nports:\n" + "".join(entries))
    with Manager(tmp_path) as manager:
        manager.start("run", "-c", str(config))
        wanted = {f"tty.{name}" for name in names}
        manager.wait_until(lambda: wanted <= dict(manager.store).keys())
        clients = [Client(port) for port in ports]
        for client in clients:
            assert client.ask(Command.SET_BAUDRATE, 19200) == 19200
        manager.stop()
        state = stored_state(manager)
        for name, change in zip(names, CHANGES.values(), strict=False):
            change(state["ports"][name])
        store_state(manager, json.dumps(state).encode())
        manager.start("run", "-c", str(config))
        for what, client in zip(CHANGES, clients, strict=False):
            assert closed_after_rest(client), what
            client.socket.close()
        assert clients[-1].ask(Command.SET_BAUDRATE) == 19200
        for port, adapter in zip(ports[:-1], adapters, strict=False):
            with Client(port) as again:
                assert again.ask(Command.SET_BAUDRATE) == 9600
                assert adapter.baudrate() == termios.B9600
        clients[-1].socket.close()
        log = manager.stop()
        assert "Traceback" not in log
        assert "in use" not in log, "a device that was let go is still locked"
    for adapter in adapters:
        adapter.pull()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 2, "ports": {}}',
        b'{"version": 1}',
        b'{"version": 1, "ports": []}',
        b'{"version": 1, "ports": {"psu1": []}}',
        b'{"version": 1, "ports": {"psu1": 7}}',
    ],
    ids=range(10),
)
def test_a_state_that_is_none(bench: Bench, text: bytes) -> None:
    bench.start_with_device()
    with Client(bench.telnet) as client:
        assert client.ask(Command.SET_BAUDRATE, 19200) == 19200
        bench.manager.stop()
        store_state(bench.manager, text)
        bench.start()
        assert closed_after_rest(client)
    with Client(bench.telnet) as client:
        assert client.ask(Command.SET_BAUDRATE) == 9600
    log = bench.manager.stop()
    assert "Traceback" not in log
    assert "session" in log


def stored_state(manager: Manager) -> dict[str, Any]:
    fd = dict(manager.store)[STATE]
    state: dict[str, Any] = json.loads(os.pread(fd, 1 << 24, 0))
    return state


def store_state(manager: Manager, text: bytes) -> None:
    fd = dict(manager.store)[STATE]
    os.ftruncate(fd, 0)
    os.pwrite(fd, text, 0)


def closed_after_rest(client: Client) -> bool:
    """Whether the gateway closes, whatever it says before."""
    with contextlib.suppress(ConnectionError):
        client.read_to_end()
    return True


def test_what_was_stored_and_is_something_else_is_closed_and_costs_nothing_else(
    bench: Bench,
) -> None:
    """A pipe as the state, files and unconnected sockets in place of sockets, a file as a tty."""
    kept, end = os.pipe()
    store = bench.manager.store
    for name in ("listener.psu1", "session.psu1", "tty.psu1", "psu1"):
        store.append((name, os.open(bench.config, os.O_RDONLY)))
    store.append(("state", kept))
    with socket.socket() as idle:
        for name in ("listener.psu1", "psu1"):
            store.append((name, os.dup(idle.fileno())))
    bench.start()
    bench.manager.wait_until(
        lambda: any(name == "tty.psu1" and os.isatty(fd) for name, fd in store)
    )
    with connect(bench.raw) as raw:
        raw.sendall(b"*IDN?")
        assert bench.adapter.read(5) == b"*IDN?"
    log = bench.manager.stop()
    assert "Traceback" not in log
    assert "what was passed as listener.psu1 is no socket" in log
    assert "what was passed as session.psu1 is no socket" in log
    os.close(end)
