"""What `gatewayd devices` prints is true, and what it proposes is accepted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from gatewayd.cli import devices
from gatewayd.config.load import parse
from gatewayd.device.match import DeviceMatch
from tests.device.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def run(machine: Machine, *options: str) -> None:
    parser = argparse.ArgumentParser()
    devices.add_arguments(parser)
    roots = ["--sysfs", str(machine.sysfs), "--dev", str(machine.dev)]
    assert devices.main(parser.parse_args([*options, *roots])) == 0


def test_no_device_is_no_error_and_comes_with_a_hint(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    run(machine)
    out = capsys.readouterr().out
    assert out.startswith("none found\n")
    assert "gatewayd demo" in out
    run(machine, "--json")
    assert json.loads(capsys.readouterr().out) == []


def test_the_table_has_a_line_for_each_and_the_entries_are_a_configuration(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.usb_serial("ttyUSB0", "1-1.2", serial="A50285BI")
    machine.usb_serial("ttyUSB1", "1-3", vid="1a86", pid="7523", driver="ch341", product="Serial")
    machine.udev_link("gatewayd/A50285BI-if00", "ttyUSB0")
    run(machine)
    table, _, rest = capsys.readouterr().out.partition("\n\n")
    heading, first, second = table.splitlines()
    assert heading.split("  ")[0] == "DEVICE"
    assert first.split()[0] == str(machine.dev / "ttyUSB0")
    assert first.split()[-1] == str(machine.dev / "gatewayd/A50285BI-if00")
    at = heading.index("SERIAL NUMBER")
    assert second[at : at + 4] == "none"
    config = parse("version: 1\n" + rest[rest.index("ports:") :], "pasted")
    assert [port.device for port in config.ports] == [
        DeviceMatch(serial="A50285BI"),
        DeviceMatch(usb_path="1-3", interface=0),
    ]


def test_the_console_of_the_kernel_is_shown_but_not_proposed(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.uart("ttyS0", kind=4)
    run(machine)
    out = capsys.readouterr().out
    assert f"{machine.dev}/ttyS0 is the kernel's console" in out
    assert "ports:" not in out
    run(machine, "--json")
    (device,) = json.loads(capsys.readouterr().out)
    assert device["console"] is True
    assert device["port"] is None


def test_json_tells_all_that_is_known(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.cdc_acm("ttyACM0", "2-3", interface=2, serial=None)
    run(machine, "--json")
    (device,) = json.loads(capsys.readouterr().out)
    assert device["path"] == str(machine.dev / "ttyACM0")
    assert device["description"] == "Arduino Uno"
    assert device["serial"] is None
    assert "no serial number" in device["reason"]
    assert device["port"] == {
        "name": "arduino-uno",
        "description": "Arduino Uno",
        "device": {"usb_path": "2-3", "interface": 2},
        "line": "9600 8N1",
        "rfc2217": "127.0.0.1:7001",
        "raw": "127.0.0.1:7101",
    }
