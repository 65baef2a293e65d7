"""A driver that hangs or fails in a system call costs its own port, and only for as long."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatewayd.comport.wire import Command, Control
from tests.ports import free_ports
from tests.service.client import Client
from tests.service.manager import Manager
from tests.service.running import Running
from tests.service.sickness import SickAdapter, built, environment

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

Provoke = Callable[[Client, SickAdapter], None]


def asking(command: Command, value: int) -> Provoke:
    return lambda client, adapter: client.tell(command, value)


def writing(client: Client, adapter: SickAdapter) -> None:
    client.send(b"x")
    client.tell(Command.SET_BAUDRATE)


def failing(client: Client, adapter: SickAdapter) -> None:
    adapter.fail("TIOCMGET", errno.EIO)
    client.tell(Command.NOTIFY_MODEMSTATE)


CALLS: dict[str, Provoke] = {
    "TCGETS2": asking(Command.SET_BAUDRATE, 19200),
    "TCSETS2": asking(Command.SET_BAUDRATE, 19200),
    "TIOCMBIS": asking(Command.SET_CONTROL, Control.DTR_ON),
    "TIOCMBIC": asking(Command.SET_CONTROL, Control.DTR_OFF),
    "TIOCMGET": asking(Command.NOTIFY_MODEMSTATE, 0),
    "TIOCGICOUNT": asking(Command.NOTIFY_LINESTATE, 0),
    "TCFLSH": asking(Command.PURGE_DATA, 2),
    "TIOCSBRK": asking(Command.SET_CONTROL, Control.BREAK_ON),
    "TIOCCBRK": asking(Command.SET_CONTROL, Control.BREAK_OFF),
    "TIOCSERGETLSR": writing,
    "close": failing,
}


FAILING = {name: provoke for name, provoke in CALLS.items() if name != "close"}


class Bench:
    """Adapters by name, each with a port of that name and a client of it."""

    def __init__(self, directory: Path, names: list[str]) -> None:
        self.adapters = {name: SickAdapter(directory, name) for name in names}
        self.numbers = dict(zip(names, free_ports(len(names)), strict=True))
        self.clients: dict[str, Client] = {}
        self.ports = "".join(
            f"  {name}: {{device: {adapter.path}, rfc2217: {self.numbers[name]}}}\n"
            for name, adapter in self.adapters.items()
        )

    def connect(self, name: str) -> None:
        client = self.clients[name] = Client(self.numbers[name])
        client.ask(Command.SET_BAUDRATE)

    def talk(self, name: str) -> None:
        """See that bytes pass both ways."""
        client, adapter = self.clients[name], self.adapters[name]
        client.send(b"question")
        got = b""
        while not got.endswith(b"question"):
            got += adapter.read(1)
        adapter.write(b"answer")
        assert client.read(6) == b"answer"

    def close(self) -> None:
        for client in self.clients.values():
            client.socket.close()
        for adapter in self.adapters.values():
            adapter.__exit__(None, None, None)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("library"))


@pytest.fixture
def make_bench(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bench]]:
    for name, value in environment(library, tmp_path).items():
        monkeypatch.setenv(name, value)
    with contextlib.ExitStack() as stack:

        def made(*names: str) -> Bench:
            bench = Bench(tmp_path, list(names))
            stack.callback(bench.close)
            return bench

        yield made


def opened(name: str) -> str:
    return rf"{name}: \S+ open, "


def test_each_call_of_a_device_may_hang(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    """All at once, each in a device of its own, and beside one that is well."""
    bench = make_bench("well", "open", *CALLS)
    hangs = {"open": bench.adapters["open"].hang("open")}
    with Running(tmp_path, bench.ports) as running:
        hangs["open"].wait()
        for name in ("well", *CALLS):
            running.wait_for(opened(name))
            bench.connect(name)
        for name, provoke in CALLS.items():
            adapter = bench.adapters[name]
            hangs[name] = adapter.hang(name)
            provoke(bench.clients[name], adapter)
        for name in CALLS:
            hangs[name].wait()
            bench.talk("well")
        for name in ("open", *CALLS):
            running.wait_for(rf"{name}: .*the driver does not come back")
            bench.talk("well")
            if name != "close":
                # The device is open as long as anybody is in a call of it.
                assert (bench.adapters[name].node in running.files()) is (name != "open")
        for name in ("open", *CALLS):
            assert running.status(name)["state"] == "stuck", name
        assert running.status("well")["state"] == "ready"
        bench.adapters["close"].heal("TIOCMGET")
        for name, hang in hangs.items():
            hang.cure()
            running.wait_for_more(opened(name), 1 if name == "open" else 2)
            if name != "open":
                bench.talk(name)
        # What was asked for meanwhile holds for the device that is there again.
        for name in ("TCGETS2", "TCSETS2"):
            assert bench.clients[name].ask(Command.SET_BAUDRATE) == 19200
            assert bench.adapters[name].baudrate() == termios.B19200
        assert bench.clients["TIOCMBIC"].ask(Command.SET_CONTROL, 7) == Control.DTR_OFF


def test_a_call_that_comes_back_in_time_is_answered(
    make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    """And what the client sent behind it waits."""
    bench = make_bench("slow")
    adapter = bench.adapters["slow"]
    with Running(tmp_path, bench.ports) as running:
        running.wait_for(opened("slow"))
        bench.connect("slow")
        hang = adapter.hang("TCSETS2")
        client = bench.clients["slow"]
        client.tell(Command.SET_BAUDRATE, 19200)
        client.send(b"behind")
        hang.wait()
        adapter.write(b"meanwhile")
        hang.cure()
        assert client.ask(Command.SET_BAUDRATE) == 19200
        assert adapter.read(6) == b"behind"
        assert client.read(9) == b"meanwhile"


@pytest.mark.parametrize(
    ("number", "lost"),
    [(errno.EIO, True), (errno.EINTR, False), (errno.ENOMEM, False)],
    ids=["EIO", "EINTR", "ENOMEM"],
)
def test_each_call_of_a_device_may_fail(
    number: int, lost: bool, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    """The port says so, once, and goes on; or the device is lost and opened again."""
    bench = make_bench(*FAILING)
    with Running(tmp_path, bench.ports) as running:
        for name, provoke in FAILING.items():
            running.wait_for(opened(name))
            bench.connect(name)
            bench.adapters[name].fail(name, number)
            provoke(bench.clients[name], bench.adapters[name])
        reason = os.strerror(number)
        for name, client in bench.clients.items():
            if lost:
                running.wait_for(f"{name}: device lost: {reason}")
            else:
                running.wait_for(f"{name}: .* failed: {reason}")
                # Who asked has an answer.
                client.ask(Command.SET_CONTROL, Control.FLOW_QUERY)
                assert running.times(f"{name}: .* failed: {reason}") == 1
            bench.adapters[name].heal(name)
        for name in FAILING:
            running.wait_for_more(opened(name), 2 if lost else 1)
            bench.talk(name)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.ENOMEM])
def test_a_write_that_fails_loses_the_device_until_it_is_opened_again(
    number: int, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make_bench("full")
    with Running(tmp_path, bench.ports) as running:
        running.wait_for(opened("full"))
        bench.connect("full")
        bench.adapters["full"].fail("write", number)
        bench.clients["full"].send(b"lost")
        running.wait_for(f"full: device lost: {os.strerror(number)}")
        bench.adapters["full"].heal("write")
        running.wait_for_more(opened("full"), 2)
        bench.talk("full")


def test_a_stop_waits_for_no_driver(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make_bench("setting", "closing", "opening", "well")
    hangs = [bench.adapters["opening"].hang("open")]
    with Running(tmp_path, bench.ports) as running:
        hangs[0].wait()
        for name in ("setting", "closing", "well"):
            running.wait_for(opened(name))
            bench.connect(name)
        hangs.append(bench.adapters["setting"].hang("TCSETS2"))
        bench.clients["setting"].tell(Command.SET_BAUDRATE, 19200)
        hangs.append(bench.adapters["closing"].hang("close"))
        failing(bench.clients["closing"], bench.adapters["closing"])
        for hang in hangs[1:]:
            hang.wait()
        bench.talk("well")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    for hang in hangs:
        hang.cure()


def test_a_restart_hands_over_beside_a_driver_that_hangs(
    make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    """Before it in one call, and after it in another."""
    bench = make_bench("sick", "well")
    config = tmp_path / "gatewayd.yaml"
    config.write_text(f"version: 1\ncontrol: none\nports:\n{bench.ports}")
    sick, clients = bench.adapters["sick"], bench.clients
    with Manager(tmp_path) as manager:
        manager.start("run", "-c", str(config))
        manager.wait_until(lambda: {"tty.sick", "tty.well"} <= dict(manager.store).keys())
        for name in bench.adapters:
            bench.connect(name)
        before = sick.hang("TCSETS2")
        clients["sick"].tell(Command.SET_BAUDRATE, 19200)
        before.wait()
        manager.stop()
        before.cure()
        after = sick.hang("TIOCMGET")
        manager.start("run", "-c", str(config))
        after.wait()
        bench.talk("well")
        manager.wait_for_status("stuck: sick")
        after.cure()
        manager.wait_until(lambda: "stuck" not in manager.status and "sick" not in manager.status)
        clients["sick"].socket.close()
        bench.connect("sick")
        bench.talk("sick")
        bench.talk("well")
