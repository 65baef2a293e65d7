"""A floor of gateways with many ports each, on a network with a desk from where they are seen.

Each gateway runs under a manager that keeps its descriptors. The devices are PTYs.
"""

from __future__ import annotations

import json
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.fleet.lan import Lan, Machine
from tests.fleet.traffic import Flow
from tests.metrics.prometheus import Prometheus
from tests.service.adapter import Adapter
from tests.service.client import Client
from tests.service.manager import Manager
from tests.until import asked

METRICS: Final = 9317
FIRST: Final = 7001
"""The TCP port of the first port of each gateway."""
DESCRIPTORS: Final = 8192
"""That this process may have: each PTY is one."""
POLITE: Final = 19
"""Where each gateway is a machine, its Avahi takes nothing from the desk's. Here all share the
processor, and what the desk's does not read in time is lost."""
INTERVAL: Final = "15s"
LISTED_S: Final = 150.0
"""Until all are listed: names are announced at a rate, and looked up again when lost."""
TOP: Final = f"""\
version: 1
control: none
advertise: true
metrics: {{listen: 0.0.0.0:{METRICS}, clear_text: true}}
ports:
"""
PAUSE_S: Final = 3.0


class Rack:
    """One gateway; its ports are p01, p02 and so on."""

    def __init__(self, machine: Machine, ports: int, stack: ExitStack) -> None:
        self.machine = machine
        names = [f"p{number:02}" for number in range(1, ports + 1)]
        self.adapters = [
            stack.enter_context(Adapter(machine.directory / f"tty-{name}")) for name in names
        ]
        entries = [
            f"  {name}: {{device: {adapter.path}, "
            f"rfc2217: {{listen: 0.0.0.0:{port}, clear_text: true}}}}\n"
            for port, (name, adapter) in enumerate(zip(names, self.adapters, strict=True), FIRST)
        ]
        self._config = machine.directory / "gatewayd.yaml"
        self._config.write_text(TOP + "".join(entries))
        self.manager = stack.enter_context(
            Manager(machine.directory, within=machine.argv(), environment=machine.environment)
        )

    def start(self) -> None:
        """Have it run, with all devices open."""
        self.manager.start("run", "-c", str(self._config))
        self.manager.wait_until(lambda: self._open() == len(self.adapters))

    def restart(self) -> str:
        """As `systemctl restart` does; the log of the process that ended."""
        log = self.manager.stop()
        self.manager.start("run", "-c", str(self._config))
        return log

    def _open(self) -> int:
        return sum(name.startswith("tty.") for name, _ in self.manager.store)


class Floor:
    """`gateways` of them with `ports` each, for the length of a `with` block."""

    def __init__(self, directory: Path, gateways: int, ports: int, *, apart: bool = True) -> None:
        """Unless they are `apart`, the Avahi of each hears what all others tell of: that takes a
        second of a processor of each, and here they have two for all."""
        self._apart = apart
        self._lan = Lan(directory)
        self._names = [f"gw{number:02}" for number in range(1, gateways + 1)]
        self._ports = ports

    def __enter__(self) -> Floor:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
        with ExitStack() as stack:
            stack.enter_context(self._lan)
            self.desk = self._lan.machine("desk")
            machines = [self._lan.machine(name, apart=self._apart) for name in self._names]
            self.desk.join()
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda one: one.join(POLITE), machines))
            self.racks = [Rack(machine, self._ports, stack) for machine in machines]
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def start(self) -> None:
        """Have all gateways run."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Rack.start, self.racks))

    @property
    def ports(self) -> set[tuple[str, str]]:
        """All ports, each with its gateway before it."""
        return {
            (rack.machine.name, f"p{number:02}")
            for rack in self.racks
            for number in range(1, len(rack.adapters) + 1)
        }

    def ls(self, *arguments: str) -> str:
        """What `gatewayd ls` prints at the desk."""
        return self.desk.run(sys.executable, "-m", "gatewayd", "ls", *arguments)

    def listed(self) -> set[tuple[str, str]]:
        """The ports that it lists."""
        return {(port["gateway"], port["name"]) for port in json.loads(self.ls("--json"))}

    def wait_listed(self) -> None:
        """List until all are there."""
        missing = self.ports

        def all_there() -> bool:
            nonlocal missing
            missing = self.ports - self.listed()
            return not missing

        try:
            # Who asks again at once has all answer again.
            asked(all_there, every=PAUSE_S, seconds=LISTED_S)
        except AssertionError:
            raise AssertionError(f"{len(missing)} are not listed") from None

    def prometheus(self, directory: Path) -> Prometheus:
        """One that runs at the desk, with the targets that are listed."""
        return Prometheus(
            directory,
            self.ls("--prometheus"),
            interval=INTERVAL,
            options=["--enable-feature=extra-scrape-metrics"],
            within=self.desk.argv(),
            connect=lambda port: self.desk.connect("127.0.0.1", port),
        )

    def session(self, rack: Rack) -> Flow:
        """A session from the desk to the first port of a gateway."""
        sock = self.desk.connect(rack.machine.address, FIRST)
        return Flow(Client(sock), rack.adapters[0], seed=rack.machine.name)
