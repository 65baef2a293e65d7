"""Which link has an address, with real interfaces in a network of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.fleet.lan import Lan

pytestmark = pytest.mark.interop

ASK = """
import json, sys
from gatewayd.advertise.links import interface_of
print(json.dumps([interface_of(host) for host in sys.argv[1:]]))
"""
ADDED = ("10.78.0.1/24", "10.78.0.2/24", "fd00::5/64")


def test_every_address_of_a_link_is_known(tmp_path: Path) -> None:
    with Lan(tmp_path) as lan:
        machine = lan.machine("pi1")
        for address in ADDED:
            nodad = ["nodad"] if ":" in address else []
            machine.run("ip", "address", "add", address, "dev", "eth0", *nodad)
        machine.run("ip", "address", "add", "10.79.0.1/24", "dev", "eth0", "label", "eth0:1")
        (link,) = json.loads(machine.run("ip", "-json", "link", "show", "eth0"))
        hosts = [address.partition("/")[0] for address in ADDED]
        hosts += [machine.address, "10.79.0.1", "fe80::1%eth0", f"fe80::1%{link['ifindex']}"]
        ours = machine.run(sys.executable, "-c", ASK, *hosts)
        assert json.loads(ours) == [link["ifindex"]] * len(hosts)
        others = machine.run(sys.executable, "-c", ASK, "::", "0.0.0.0", "10.80.0.1", "fd00::6")
        assert json.loads(others) == [-1, -1, None, None]
