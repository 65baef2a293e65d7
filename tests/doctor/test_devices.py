"""Access, other programs, identity and latency of devices."""

from __future__ import annotations

import dataclasses
import os
import subprocess

import pytest

from gatewayd.device.scan import SerialDevice, scan
from gatewayd.doctor import devices
from gatewayd.doctor.machine import group_name
from tests.doctor.patient import Patient


def only(patient: Patient) -> SerialDevice:
    (device,) = scan(str(patient.machine.sysfs), str(patient.machine.dev))
    return device


def test_a_device_that_may_be_used_is_no_finding(patient: Patient) -> None:
    patient.adapter()
    patient.process(5, "gatewayd", "/usr/bin/gatewayd", "run", holds=patient.root / "dev/ttyUSB0")
    device = only(patient)
    assert list(devices.access(patient.machine, device)) == []
    assert list(devices.others(patient.machine, device)) == []
    assert list(devices.latency(patient.machine, device)) == []
    assert list(devices.identity([device])) == []


def test_the_group_that_is_missing_is_named(patient: Patient) -> None:
    patient.adapter().chmod(0o660)
    (finding,) = devices.access(patient.machine, only(patient))
    group = group_name(os.getgid())
    assert finding.wrong
    assert f"group {group} with mode 660" in finding.text
    assert finding.remedy == (
        f"sudo usermod -aG {group} gatewayd && sudo systemctl restart gatewayd"
    )


def test_a_person_has_to_log_in_again(patient: Patient) -> None:
    patient.adapter().chmod(0o660)
    patient.account = dataclasses.replace(patient.account, name="me")
    (finding,) = devices.access(patient.machine, only(patient))
    assert "log out and in" in finding.remedy


def test_a_mode_that_helps_no_group(patient: Patient) -> None:
    patient.adapter().chmod(0o600)
    (finding,) = devices.access(patient.machine, only(patient))
    assert finding.remedy.startswith("sudo chmod g+rw ")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("agetty", "sudo systemctl disable --now serial-getty@ttyUSB0.service"),
        ("ser2net", "sudo systemctl disable --now ser2net"),
        ("ModemManager", "sudo systemctl disable --now ModemManager"),
        ("minicom", "sudo kill 4711   # or end minicom by hand"),
    ],
)
def test_who_holds_the_device_and_how_to_end_it(patient: Patient, name: str, remedy: str) -> None:
    node = patient.adapter()
    patient.process(4711, name, holds=node)
    (finding,) = devices.others(patient.machine, only(patient))
    assert finding.wrong
    assert finding.text == f"{node.resolve()} is held by {name} (pid 4711)"
    assert finding.remedy == remedy


def test_what_the_service_manager_keeps_for_the_gateway_is_no_finding(patient: Patient) -> None:
    node = patient.adapter()
    patient.process(1, "systemd", "/sbin/init", holds=node)
    assert list(devices.others(patient.machine, only(patient))) == []


def test_a_console_of_the_kernel(patient: Patient) -> None:
    patient.hardware.uart("ttyS0", 4)
    (finding,) = devices.others(patient.machine, only(patient))
    assert "console=ttyS0" in finding.remedy


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        (
            "boot/firmware/cmdline.txt",
            "console=serial0,115200 console=tty1 quiet\n",
            "console=tty1 quiet\n",
        ),
        (
            "etc/default/grub",
            'GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200n8"\n',
            'GRUB_CMDLINE_LINUX="console=tty0 "\n',
        ),
    ],
)
def test_the_command_against_a_console_takes_out_that_one(
    patient: Patient, file: str, before: str, after: str
) -> None:
    patient.hardware.uart("ttyS0", 4)
    path = patient.write(file, before)
    (finding,) = devices.others(patient.machine, only(patient))
    edit = finding.remedy.removeprefix("sudo ").partition(" && ")[0]
    subprocess.run(edit.replace(f"/{file}", str(path)), shell=True, check=True)
    assert path.read_text() == after


@pytest.mark.parametrize(("milliseconds", "found"), [(1, 0), (16, 1)])
def test_latency_of_ftdi_adapters(patient: Patient, milliseconds: int, found: int) -> None:
    patient.adapter()
    patient.latency("ttyUSB0", milliseconds)
    findings = list(devices.latency(patient.machine, only(patient)))
    assert len(findings) == found
    assert all("16 ms" in finding.text and not finding.wrong for finding in findings)


def test_serial_numbers_that_identify_nothing(patient: Patient) -> None:
    patient.adapter("ttyUSB0", "1-1", serial="A1")
    patient.adapter("ttyUSB1", "1-2", serial="A1")
    patient.adapter("ttyUSB2", "1-3", serial="0001")
    patient.adapter("ttyUSB3", "1-4", serial="B2")
    present = scan(str(patient.machine.sysfs), str(patient.machine.dev))
    twice, placeholder = devices.identity(present)
    assert "ttyUSB0" in twice.text
    assert "ttyUSB1" in twice.text
    assert "ttyUSB2" in placeholder.text
    assert not twice.wrong
    assert not placeholder.wrong
