"""ModemManager, brltty, udev rules and Python modules."""

from __future__ import annotations

import sys

import pytest

from gatewayd.device.scan import scan
from gatewayd.doctor import surroundings
from tests.doctor.patient import Patient


def probers(patient: Patient) -> list[str]:
    present = scan(str(patient.machine.sysfs), str(patient.machine.dev))
    return [finding.remedy for finding in surroundings.probers(patient.machine, present)]


def test_programs_that_probe_adapters(patient: Patient) -> None:
    patient.process(1, "systemd")
    patient.adapter()
    assert probers(patient) == []
    patient.process(20, "ModemManager")
    patient.write("usr/lib/udev/rules.d/85-brltty.rules", "")
    assert probers(patient) == [
        "sudo systemctl disable --now ModemManager",
        "sudo apt remove brltty",
    ]


def test_gatewayds_rules_keep_them_away(patient: Patient) -> None:
    patient.adapter()
    patient.process(20, "ModemManager")
    patient.write("etc/udev/rules.d/61-gatewayd.rules", "")
    assert probers(patient) == []


def test_without_an_adapter_they_do_no_harm(patient: Patient) -> None:
    patient.hardware.uart("ttyS0", 4)
    patient.process(20, "ModemManager")
    assert probers(patient) == []


@pytest.mark.parametrize("place", ["etc/udev/rules.d", "usr/lib/udev/rules.d", None])
def test_rules_that_are_not_installed(patient: Patient, place: str | None) -> None:
    patient.adapter()
    if place is not None:
        patient.write(f"{place}/61-gatewayd.rules", "")
    present = scan(str(patient.machine.sysfs), str(patient.machine.dev))
    found = [finding.wrong for finding in surroundings.udev_rules(patient.machine, present)]
    assert found == ([] if place else [False])


def test_modules_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(surroundings.modules()) == []
    monkeypatch.setitem(sys.modules, "serial_asyncio", None)
    (finding,) = surroundings.modules()
    assert finding.wrong
    assert finding.remedy == "sudo apt install python3-serial-asyncio"


@pytest.mark.parametrize(("mode", "found"), [(0o644, 0), (0o604, 0), (0o640, 1), (0o600, 1)])
def test_a_configuration_that_the_service_may_not_read(
    patient: Patient, mode: int, found: int
) -> None:
    path = patient.write("etc/gatewayd/gatewayd.yaml", "version: 1\n")
    path.chmod(mode)
    assert len(list(surroundings.unreadable(patient.machine, path))) == found
