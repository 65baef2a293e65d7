"""A network with two gateways and a stranger that tells of things, and the page of the first."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.cli.program import ROOT, gatewayd
from tests.fleet.gateway import Gateway
from tests.fleet.lan import Lan, Machine, unpacked
from tests.until import PATIENCE
from tests.watched import Watched

PI1: Final = """\
advertise: true
desk: {{listen: 0.0.0.0:2323, clear_text: true}}
ports:
  psu1:
    device: {psu1}
    description: bench supply, rack 2
    rfc2217: {{listen: 0.0.0.0:7001, clear_text: true}}
  inner: {{device: {inner}, rfc2217: 127.0.0.1:7002}}
"""
PI2: Final = """\
advertise: true
ports:
  scope: {{device: {scope}, rfc2217: {{listen: 0.0.0.0:7001, clear_text: true}}}}
  dut-a: {{device: {dut}, rfc2217: {{listen: 0.0.0.0:7002, clear_text: true}}}}
"""
PROXIED: Final = "pi.localhost"
"""A name of the page's that browsers know to be this machine; what comes by it may be a proxy's."""
SER2NET: Final = ("old", "_iostream._tcp", 4001, "provider=ser2net", "gensiostack=telnet,tcp")
"""What a ser2net tells of a port."""


class Street:
    """What runs. The page has the bus of pi1, and no network but the test's own."""

    def __init__(self, pi1: Gateway, pi2: Gateway, stranger: Machine, page: Watched) -> None:
        self.pi1 = pi1
        self.pi2 = pi2
        self.stranger = stranger
        self.page = page
        found = page.wait_for(r"the page is at (http://127\.0\.0\.1:(\d+))/")
        self.origin = found[1]
        self.url = f"{found[1]}/fleet"
        self.port = int(found[2])
        self.proxied = f"http://{PROXIED}:{self.port}"

    @contextlib.contextmanager
    def told_of(self, name: str, kind: str, port: int, *txt: str, host: str = "") -> Iterator[None]:
        """The stranger tells of a service, for the length of a `with` block; of that of another
        host, which is `named`, if it says so."""
        other = ("-H", host) if host else ()
        with self._telling("-s", *other, name, kind, str(port), *txt):
            yield

    @contextlib.contextmanager
    def named(self, host: str, address: str) -> Iterator[None]:
        """There is one more host."""
        with self._telling("-a", "-R", host, address):
            yield

    @contextlib.contextmanager
    def _telling(self, *arguments: str) -> Iterator[None]:
        program, libraries = unpacked("avahi-utils", "usr/bin/avahi-publish")
        path = f"LD_LIBRARY_PATH={libraries}"
        telling = self.stranger.start("env", path, program, *arguments)
        telling.wait_for("Established")
        try:
            yield
        finally:
            telling.stop()

    @contextlib.contextmanager
    def held_by_stranger(self, address: str, port: int) -> Iterator[None]:
        """The stranger has a port, for the length of a `with` block."""
        script = (
            "import socket, sys; held = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
            "print('there', flush=True)\n"
            "while held.recv(4096): pass"
        )
        holding = self.stranger.start(sys.executable, "-c", script, address, str(port))
        holding.wait_for("there")
        try:
            yield
        finally:
            holding.stop()

    def signing_url(self) -> str:
        """Where a browser is signed in."""
        token = str(self.pi1.machine.directory.parent / "token")
        done = gatewayd("web-token", "--token", token, "--url", f"{self.proxied}/")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def searches(self) -> int:
        """How many connections the page has to the bus."""
        bus = f" {self.pi1.machine.directory}/bus"
        lines = Path("/proc/net/unix").read_text().splitlines()
        # The bus's end counts where the caller is.
        return sum(line.endswith(bus) and line.split()[5] == "03" for line in lines)


@contextlib.contextmanager
def street(directory: Path) -> Iterator[Street]:
    """Run it for the length of a `with` block."""
    with contextlib.ExitStack() as stack:
        lan = stack.enter_context(Lan(directory))
        machines = [lan.machine(name) for name in ("pi1", "pi2", "stranger")]
        for machine in machines:
            machine.join()
        pi1 = stack.enter_context(Gateway(machines[0], PI1, "psu1", "inner"))
        pi2 = stack.enter_context(Gateway(machines[1], PI2, "scope", "dut"))
        for one in (pi1, pi2):
            one.program.wait_for("are told of on the network")
        page = paged(machines[0], pi1.control, directory)
        with page:
            yield Street(pi1, pi2, machines[2], page)
        assert page.process.wait(PATIENCE) == 0, page.text
        assert "Traceback" not in page.text, page.text


def paged(machine: Machine, control: Path, directory: Path) -> Watched:
    """The page on a machine, all but its network: it is the test's, where the browser is."""
    entering = [word for word in machine.argv() if word != "--net"]
    options = ("--listen", "127.0.0.1:0", "--control", control, "--token", directory / "token")
    name = ("--name", PROXIED)
    command = (*entering, sys.executable, "-m", "gatewayd", "web", *options, *name)
    return Watched(command, directory=ROOT, environment=machine.environment)
