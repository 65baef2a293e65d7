"""gatewayd-labgrid with a real coordinator and labgrid's own client."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gatewayd.control.client import call
from tests.interop.labgrid import Labgrid, agent, coordinator
from tests.interop.served import program
from tests.interop.terminal import Terminal
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.running import Running
from tests.until import PATIENCE, asked
from tests.watched import Watched

pytestmark = pytest.mark.interop

PLACE = ("-p", "bench")


def eventually(condition: Callable[[], bool]) -> None:
    """labgrid's client can ask, not wait."""
    asked(condition, every=0.1)


def connect(port: int) -> socket.socket:
    """A client of the raw address."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


class Bench:
    """A place `bench` that matches the port psu1, and all that stands behind it."""

    def __init__(
        self, labgrid: Labgrid, daemon: Running, agent: Watched, device: Adapter, raw: int
    ) -> None:
        self.labgrid = labgrid
        self.daemon = daemon
        self.agent = agent
        self.device = device
        self.raw = raw

    def client(self, *arguments: str) -> str:
        """What labgrid's client prints about the place."""
        return self.labgrid.client(*PLACE, *arguments)

    def available(self) -> bool:
        """Whether the port is, to labgrid."""
        shown = self.labgrid.client("-v", "resources")
        return re.search(r"'avail': True", shown) is not None

    def lease(self) -> str:
        """For whom the port is kept."""
        lease = self.daemon.status("psu1")["lease"]
        return lease["holder"] if lease else ""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (raw,) = free_ports(1)
    with coordinator(tmp_path) as labgrid, Adapter(tmp_path / "psu1") as device:
        ports = f"  psu1:\n    device: {device.path}\n    line: 19200 8N1\n    raw: {raw}\n"
        with Running(tmp_path, ports) as daemon:
            daemon.wait_for(r" open, \d+ ")
            with agent(labgrid, daemon.control, "pi") as running:
                bench = Bench(labgrid, daemon, running, device, raw)
                eventually(bench.available)
                bench.client("create")
                bench.client("add-match", "pi/psu1/*")
                yield bench


def test_acquire_is_a_lease_and_release_frees_it(bench: Bench) -> None:
    bench.client("acquire")
    assert bench.lease() == "bench"
    shown = bench.client("show")
    assert "'speed': 19200" in shown
    bench.client("release")
    assert bench.lease() == ""


def test_the_console_of_a_place_is_the_leases(bench: Bench) -> None:
    program("microcom")
    bench.client("acquire")
    with Terminal(*bench.labgrid.argv(*PLACE, "console")) as terminal:
        bench.daemon.wait_for("rfc2217 session from")
        bench.device.write(b"ready\r\n")
        terminal.expect(rb"ready")
        terminal.type(b"*IDN?\r")
        assert bench.device.read(6) == b"*IDN?\r"
        bench.device.write(b"ACME,DUT,0,1\r\n")
        terminal.expect(rb"ACME,DUT,0,1")
        with connect(bench.raw) as other:
            # Whoever comes past labgrid is not of the lease.
            assert other.recv(1) == b""
        bench.client("release")
        bench.daemon.wait_for("rfc2217 session from bench .* over")


def test_what_somebody_holds_is_not_acquired_and_the_log_says_why(bench: Bench) -> None:
    with connect(bench.raw):
        bench.daemon.wait_for("raw session from")
        refused = bench.labgrid.run(*PLACE, "acquire")
        assert refused.returncode != 0
        bench.agent.wait_for(r"psu1 is refused to bench: psu1 is held by 127\.0\.0\.1:")
        assert bench.lease() == ""
    bench.daemon.wait_for_more("raw session", 2)
    bench.client("acquire")


def test_what_is_leased_to_somebody_is_not_acquired(bench: Bench) -> None:
    call(str(bench.daemon.control), "Lease", port="psu1", holder="alice", seconds=600)
    assert bench.labgrid.run(*PLACE, "acquire").returncode != 0
    bench.agent.wait_for("psu1 is refused to bench: port psu1 is leased to alice")
    assert bench.lease() == "alice"


def test_a_device_that_is_away_is_not_available(bench: Bench) -> None:
    bench.device.pull()
    eventually(lambda: not bench.available())
    bench.device.plug()
    eventually(bench.available)


def test_what_was_acquired_is_given_back_at_the_end(bench: Bench) -> None:
    bench.client("acquire")
    assert bench.agent.stop() == 0
    assert bench.lease() == ""


def acquire(labgrid: Labgrid) -> None:
    """Have a place that has the port, at a coordinator that knows of none."""
    eventually(lambda: "psu1" in labgrid.client("resources"))
    for what in (("create",), ("add-match", "pi/psu1/*"), ("acquire",)):
        labgrid.client(*PLACE, *what)


def test_a_place_has_its_port_still_when_the_coordinator_is_back(tmp_path: Path) -> None:
    """labgrid's forgets who had acquired what: whoever asks again finds the session as it was."""
    raw, listen = free_ports(2)
    with ExitStack() as stack, ExitStack() as before:
        device = stack.enter_context(Adapter(tmp_path / "psu1"))
        ports = f"  psu1:\n    device: {device.path}\n    raw: {raw}\n"
        daemon = stack.enter_context(Running(tmp_path, ports))
        daemon.wait_for(r" open, \d+ ")
        labgrid = before.enter_context(coordinator(tmp_path, listen))
        running = stack.enter_context(agent(labgrid, daemon.control, "pi"))
        acquire(labgrid)
        before.close()
        running.wait_for("coordinator .*: ")
        (tmp_path / "places.yaml").unlink(missing_ok=True)
        before.enter_context(coordinator(tmp_path, listen))
        running.wait_for_all("is ready", 2)
        assert daemon.status("psu1")["lease"]["holder"] == "bench"
        acquire(labgrid)
        first, again = running.wait_for_all(r"acquired by bench, at TCP port (\d+)", 2)
        assert first[1] == again[1]


def test_without_labgrid_it_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatewayd.labgrid"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'labgrid>=26'" in done.stderr
