"""`gatewayd export avahi`, published by a real Avahi."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.program import gatewayd
from tests.fleet.lan import Lan, Machine
from tests.until import PATIENCE

pytestmark = pytest.mark.interop
CONFIG = """\
version: 1
allow: 10.0.0.0/8
ports:
  psu1: {device: /dev/a, line: 19200 8N1, rfc2217: 0.0.0.0:7001, raw: 0.0.0.0:7101, scpi: true}
  dut: {device: /dev/b, rfc2217: [0.0.0.0:7002, 0.0.0.0:7003]}
"""


def services(machine: Machine) -> Path:
    """The directory that its Avahi reads, which no other has."""
    upper, work = machine.directory / "etc", machine.directory / "work"
    for directory in (upper / "avahi/services", work):
        directory.mkdir(parents=True)
    options = f"lowerdir=/etc,upperdir={upper},workdir={work}"
    try:
        machine.run("mount", "-t", "overlay", "overlay", "-o", options, "/etc")
    except AssertionError as error:
        pytest.skip(f"no overlay here: {error}")
    machine.run("mount", "--bind", machine.directory / "passwd", "/etc/passwd")
    machine.run("mount", "--bind", machine.directory / "group", "/etc/group")
    return upper / "avahi/services"


@pytest.mark.limit(PATIENCE * 6)
def test_avahi_publishes_what_is_exported(tmp_path: Path) -> None:
    with Lan(tmp_path) as lan:
        pi1, desk = lan.machine("pi1"), lan.machine("desk")
        config = tmp_path / "gatewayd.yaml"
        config.write_text(CONFIG)
        done = gatewayd("export", "avahi", "-c", str(config), "-d", str(services(pi1)))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        for machine in (pi1, desk):
            machine.join()
        browsing = desk.browsing("-p", "-r", "_iostream._tcp")
        names = [r"psu1\\032on\\032pi1", r"dut\\032on\\032pi1", r"dut\\032on\\032pi1\\044\\0327003"]
        found = [browsing.wait_for(f"=;.*;{name};.*\n")[0].split(";") for name in names]
        assert [fields[7:9] for fields in found] == [
            [pi1.address, port] for port in ("7001", "7002", "7003")
        ]
        assert set(re.findall(r'"([^"]*)"', found[0][9])) == {
            *("provider=gatewayd", "gensiostack=telnet(rfc2217),tcp", "devicetype=serial"),
            *("port=psu1", "baud=19200"),
        }
        scpi = desk.browsing("-p", "-r", "_scpi-raw._tcp")
        assert scpi.wait_for(f"=;.*;{names[0]};.*\n")[0].split(";")[8] == "7101"


def test_several_files_need_a_directory(tmp_path: Path) -> None:
    config = tmp_path / "gatewayd.yaml"
    config.write_text(CONFIG)
    done = gatewayd("export", "avahi", "-c", str(config))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "avahi reads 3 files; name a directory for them with -d\n"
    done = gatewayd("export", "avahi", "-c", str(config), "-d", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr
