"""What many gateways on one link cost: `python -m bench.fleet`, as root, a few minutes.

Each is a machine of its own as far as the network goes, with Debian's Avahi. All share this
machine's processor, so times are those of a desk that waits for its neighbours. What is fetched by
`./dev test` must be there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fleet.floor import Floor
from tests.fleet.lan import Machine
from tests.fleet.traffic import Traffic
from tests.watched import Watched

QUIET_S: Final = 2.0
IDLE_S: Final = 30.0


class Link:
    """What the machines of a floor send, and what their Avahis take."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._machines = [floor.desk, *(rack.machine for rack in floor.racks)]

    @contextmanager
    def counted(self, what: str) -> Iterator[None]:
        """Print what a step cost, when nothing follows from it any more."""
        before = self._counts()
        yield
        self.settle()
        figures = [after - earlier for after, earlier in zip(self._counts(), before, strict=True)]
        per = figures[2] / len(self._machines)
        print(f"{what}: {figures[0]:.0f} packets, {figures[1] / 1e3:.0f} kB, CPU {per:.2f} s each")

    def settle(self) -> None:
        """Wait until the Avahis have nothing to do."""
        before = -1.0
        while (now := self._counts()[2]) > before + 0.05:
            before = now
            time.sleep(QUIET_S)

    def _counts(self) -> tuple[float, float, float]:
        sent = [_sent(machine) for machine in self._machines]
        spent = [_spent(_avahi(machine).process.pid) for machine in self._machines]
        return sum(one[0] for one in sent), sum(one[1] for one in sent), sum(spent)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="bench.fleet", description=__doc__)
    parser.add_argument("--gateways", type=int, default=20)
    parser.add_argument("--ports", type=int, default=64)
    parser.add_argument(
        "--together", action="store_true", help="gateways hear each other, which takes a while"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        apart = not options.together
        with Floor(directory, options.gateways, options.ports, apart=apart) as floor:
            _adverts(floor)
            _metrics(floor, directory)


def _adverts(floor: Floor) -> None:
    link = Link(floor)
    with link.counted("all adverts, told for the first time"):
        floor.start()
    for what in ("after that", "again"):
        with link.counted(f"ls {what}"):
            _timed(floor.listed)
    with link.counted("ls --prometheus"):
        _timed(lambda: json.loads(floor.ls("--prometheus")))
    assert floor.desk.avahi is not None
    floor.desk.avahi.stop()
    floor.desk.start_avahi()
    with link.counted("ls after Avahi at the desk was restarted"):
        _timed(floor.listed)
    with link.counted(f"{IDLE_S:g} s of nothing"):
        time.sleep(IDLE_S)
    with link.counted("one gateway restarted"):
        floor.racks[0].restart()
    for what, machine in (("a gateway", floor.racks[0].machine), ("the desk", floor.desk)):
        print(f"Avahi of {what}: {_own_kb(_avahi(machine).process.pid) / 1e3:.1f} MB of its own")


def _metrics(floor: Floor, directory: Path) -> None:
    gateways = str(len(floor.racks))
    with floor.prometheus(directory) as prometheus:
        daemon = floor.racks[0].manager.process
        assert daemon is not None
        prometheus.wait_until("sum(up)", gateways, 60)
        spent, began = _spent(daemon.pid), time.monotonic()
        time.sleep(IDLE_S * 2)
        per = (_spent(daemon.pid) - spent) / (time.monotonic() - began) * 15
        print(f"a scrape: {per * 1e3:.0f} ms of the gateway's processor")
        for name in ("samples_scraped", "body_size_bytes", "duration_seconds"):
            print(f"scrape_{name} of a gateway: {prometheus.value(f'max(scrape_{name})'):g}")
        print(f"Prometheus: {_own_kb(prometheus.process.pid) / 1e3:.0f} MB of its own")
        flows = [floor.session(rack) for rack in floor.racks]
        with Traffic(flows):
            began = time.monotonic()
            for rack in floor.racks:
                rack.restart()
            print(f"all restarted in {time.monotonic() - began:.1f} s")
        longest = sorted(flow.longest_s for flow in flows)
        print(f"longest silence of a session: {longest[len(longest) // 2]:.2f} s (median)")


def _timed(act: Callable[[], Sized]) -> None:
    began = time.monotonic()
    found = len(act())
    print(f"  {found} found in {time.monotonic() - began:.2f} s")


def _avahi(machine: Machine) -> Watched:
    assert machine.avahi is not None
    return machine.avahi


def _sent(machine: Machine) -> tuple[int, int]:
    """Packets and bytes."""
    (link,) = json.loads(machine.run("ip", "-s", "-json", "link", "show", "eth0"))
    told = link["stats64"]["tx"]
    return told["packets"], told["bytes"]


def _spent(pid: int) -> float:
    """Seconds of a processor, of the first thread."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _own_kb(pid: int) -> int:
    """Memory that no other process shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


if __name__ == "__main__":
    main()
