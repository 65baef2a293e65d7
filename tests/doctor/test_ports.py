"""A configuration against the machine that it is on."""

from __future__ import annotations

import pytest

from gatewayd.config.load import parse
from gatewayd.device.scan import SerialDevice, scan
from gatewayd.doctor import ports
from tests.doctor.patient import Patient


def findings(patient: Patient, device: str) -> list[tuple[bool, str, str]]:
    present = scan(str(patient.machine.sysfs), str(patient.machine.dev))
    text = f"version: 1\nports: {{psu1: {{device: {device}, raw: 7101}}}}\n"
    found = ports.devices(parse(text, "x"), present)
    return [(finding.wrong, finding.text, finding.remedy) for finding in found]


def test_a_device_that_is_found_by_its_serial_number(patient: Patient) -> None:
    patient.adapter(serial="A1")
    assert findings(patient, "{serial: A1}") == []


def test_a_device_that_is_away_is_advice(patient: Patient) -> None:
    ((wrong, text, _),) = findings(patient, "{serial: A1}")
    assert not wrong
    assert text.startswith("psu1: no device fits")


def test_a_match_that_fits_two(patient: Patient) -> None:
    patient.adapter("ttyUSB0", "1-1", serial="A1")
    patient.adapter("ttyUSB1", "1-2", serial="A1")
    ((wrong, text, _),) = findings(patient, "{serial: A1}")
    assert wrong
    assert "fits 2 devices" in text


def test_a_name_that_the_next_boot_may_change() -> None:
    text = "version: 1\nports: {psu1: {device: /dev/ttyUSB0, raw: 7101}}\n"
    device = SerialDevice("/dev/ttyUSB0", vid="0403", serial="A1", usb_path="1-1", interface=0)
    (finding,) = ports.devices(parse(text, "x"), [device])
    assert not finding.wrong
    assert finding.remedy == "write   device: {serial: A1}   in the configuration"


@pytest.mark.parametrize(
    ("address", "wrong", "whom"),
    [
        ("7101", None, None),
        ("'[::1]:7101'", None, None),
        ("0.0.0.0:7101", True, "any network"),
        ("'[::]:7101'", True, "any network"),
        ("192.168.1.5:7101", False, "everybody in its network"),
        ("8.8.8.8:7101", True, "the Internet"),
    ],
)
def test_clear_text_beyond_this_machine(address: str, wrong: bool | None, whom: str | None) -> None:
    listen = f"{{listen: {address}, clear_text: true}}"
    text = f"version: 1\nports: {{psu1: {{device: /dev/ttyS0, raw: {listen}}}}}\n"
    found = list(ports.listeners(parse(text, "x")))
    assert [finding.wrong for finding in found] == ([] if wrong is None else [wrong])
    for finding in found:
        assert whom is not None
        assert whom in finding.text
        assert "ssh -L 7101:" in finding.remedy
