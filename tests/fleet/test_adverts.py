"""Adverts of ports, by a real Avahi on a real bus, seen from another machine."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from gatewayd.advertise import avahi
from gatewayd.advertise.bus import MOST_CALLS
from tests.fleet.gateway import Gateway
from tests.fleet.lan import Lan, Machine
from tests.until import PATIENCE

pytestmark = pytest.mark.interop

IN_TIME = 2.0
"""Seconds within which the network knows of a device that came or went."""
PSU1 = """\
advertise: true
ports:
  psu1: {{device: {psu1}, line: 19200 8N1, rfc2217: {{listen: 0.0.0.0:7001, clear_text: true}},
    raw: {{listen: 0.0.0.0:7101, clear_text: true}}, scpi: true}}
"""


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[Lan]:
    """A network with two machines, each with a bus and an Avahi."""
    with Lan(tmp_path) as lan:
        for name in ("pi1", "desk"):
            machine = lan.machine(name)
            machine.join()
        yield lan


class Sight:
    """What a machine sees of one type of service, as it comes and goes."""

    def __init__(self, machine: Machine, kind: str) -> None:
        self._browsing = machine.browsing("-p", "-k", "-r", kind)
        self._seen = 0

    def next(self, pattern: str) -> re.Match[str]:
        """Wait for the next line that matches, beyond those before."""
        found = self._browsing.wait_for(pattern, self._seen)
        self._seen = found.end()
        return found


def parsed(line: re.Match[str]) -> tuple[str, str, set[str]]:
    """Address, port and TXT of a line of `avahi-browse -r -p`."""
    fields = line[0].split(";")
    return fields[7], fields[8], set(re.findall(r'"([^"]*)"', fields[9]))


def test_a_port_is_told_of_with_the_keys_that_others_look_for(lan: Lan) -> None:
    pi1, desk = lan.machines
    with Gateway(pi1, PSU1, "psu1"):
        iostream = Sight(desk, "_iostream._tcp").next(r"=;.*;psu1\\032on\\032pi1;.*\n")
        assert parsed(iostream) == (
            pi1.address,
            "7001",
            {
                "provider=gatewayd",
                "gensiostack=telnet(rfc2217),tcp",
                "devicetype=serial",
                "port=psu1",
                "baud=19200",
                "held=0",
            },
        )
        scpi = Sight(desk, "_scpi-raw._tcp").next(r"=;.*;psu1\\032on\\032pi1;.*\n")
        expected = {"txtvers=1", "provider=gatewayd", "port=psu1", "held=0"}
        assert parsed(scpi) == (pi1.address, "7101", expected)
        gateway = Sight(desk, "_gatewayd._tcp").next(r"=;.*;pi1;.*\n")
        address, port, txt = parsed(gateway)
        assert (address, port) == (pi1.address, "0")
        assert "ports=1" in txt


def test_an_unplugged_device_is_withdrawn_and_comes_back_in_time(lan: Lan) -> None:
    pi1, desk = lan.machines
    sight = Sight(desk, "_iostream._tcp")
    with Gateway(pi1, PSU1, "psu1") as gateway:
        sight.next(r"=;.*;psu1\\032on\\032pi1;")
        began = monotonic()
        gateway.adapters["psu1"].pull()
        sight.next(r"-;.*;psu1\\032on\\032pi1;")
        assert monotonic() - began < IN_TIME
        began = monotonic()
        gateway.adapters["psu1"].plug()
        sight.next(r"\+;.*;psu1\\032on\\032pi1;")
        assert monotonic() - began < IN_TIME
    sight.next(r"-;.*;psu1\\032on\\032pi1;")


def test_what_listens_on_loopback_or_is_not_to_be_told_is_not(lan: Lan) -> None:
    pi1, desk = lan.machines
    config = """\
advertise: true
ports:
  here: {{device: {here}, rfc2217: 7001}}
  quiet: {{device: {quiet}, rfc2217: {{listen: 0.0.0.0:7002, clear_text: true}}, advertise: false}}
  told: {{device: {told}, rfc2217: {{listen: "{address}:7003", clear_text: true}}}}
""".replace("{address}", pi1.address)
    with Gateway(pi1, config, "here", "quiet", "told"):
        Sight(desk, "_iostream._tcp").next(r"=;.*;told\\032on\\032pi1;")
        assert "here" not in (seen := desk.browse("-a", "-t", "-p"))
        assert "quiet" not in seen


def test_everything_is_told_anew_when_avahi_or_the_bus_comes_back(lan: Lan) -> None:
    pi1, desk = lan.machines
    sight = Sight(desk, "_iostream._tcp")
    with Gateway(pi1, PSU1, "psu1") as gateway:
        sight.next(r"\+;.*;psu1\\032on\\032pi1;")
        assert pi1.avahi is not None
        pi1.avahi.stop()
        sight.next(r"-;.*;psu1\\032on\\032pi1;")
        pi1.start_avahi()
        sight.next(r"\+;.*;psu1\\032on\\032pi1;")
        assert pi1.bus is not None
        pi1.bus.stop()
        gateway.program.wait_for("no system bus")
        pi1.avahi.stop()
        sight.next(r"-;.*;psu1\\032on\\032pi1;")
        pi1.join()
        sight.next(r"\+;.*;psu1\\032on\\032pi1;")


def test_many_ports_at_once_wait_for_an_avahi_that_takes_its_time(lan: Lan) -> None:
    """The bus refuses to carry more than 128 calls that are not answered."""
    pi1, desk = lan.machines
    assert pi1.avahi is not None
    names = [f"p{number:03}" for number in range(150)]

    def config(first: str, rest: str) -> str:
        told = [first, *[rest] * (len(names) - 1)]
        return "advertise: true\nports:\n" + "".join(
            f"  {name}: {{{{device: {{{name}}}, advertise: {advertised}, "
            f"rfc2217: {{{{listen: 0.0.0.0:{port}, clear_text: true}}}}}}}}\n"
            for port, (name, advertised) in enumerate(zip(names, told, strict=True), 7001)
        )

    sight = desk.browsing("-p", "-k", "_iostream._tcp")
    with Gateway(pi1, config("true", "false"), *names) as gateway:
        sight.wait_for(r"\+;.*;p000\\032on\\032pi1;")
        pi1.avahi.process.send_signal(signal.SIGSTOP)
        bus = pi1.start("stdbuf", "-oL", "dbus-monitor", "--system", "type=method_call")
        bus.wait_for("member=NameLost")
        gateway.reload(config("true", "true"))
        bus.wait_for_all(f"method call .* destination={avahi.NAME} ", MOST_CALLS)
        pi1.avahi.process.send_signal(signal.SIGCONT)
        for count in range(15, len(names) + 1, 15):
            sight.wait_for_all(r"\+;.*;p\d+\\032on\\032pi1;", count)
        assert "adverts:" not in gateway.program.text


def test_whether_a_port_is_held_is_told_and_not_by_whom(lan: Lan) -> None:
    pi1, desk = lan.machines
    with Gateway(pi1, PSU1, "psu1") as gateway:
        assert "held=0" in record(desk, "held=0")
        client = desk.start("socat", "-u", f"TCP:{pi1.address}:7101", "STDOUT")
        gateway.program.wait_for("raw session from")
        told = record(desk, "held=1")
        assert desk.address not in told
        began = monotonic()
        client.stop()
        gateway.program.wait_for("raw session from .* over")
        record(desk, "held=0")
        assert monotonic() - began > 5, "the second change within ten seconds waits"


def record(machine: Machine, wanted: str) -> str:
    """The record of the port, looked up until it says `wanted`; avahi-browse resolves once."""
    deadline = monotonic() + PATIENCE
    while wanted not in (seen := machine.browse("-t", "-r", "-p", "_iostream._tcp")):
        assert monotonic() < deadline, seen
    return seen
