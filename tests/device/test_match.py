"""A configuration means one device or none, and what is proposed for a device means it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.device.match import (
    PLACEHOLDERS,
    DeviceMatch,
    best_match,
    find,
    has_identity,
    same_device,
    udev_text,
)
from gatewayd.device.scan import SerialDevice, scan
from gatewayd.errors import DeviceAbsentError, DeviceError
from gatewayd.value import replace
from tests.device.machine import Machine

FTDI = SerialDevice(
    "/dev/ttyUSB0", vid="0403", pid="6001", serial="A50285BI", usb_path="1-1.2", interface=0
)
CH340 = SerialDevice("/dev/ttyUSB1", vid="1a86", pid="7523", usb_path="1-1.3", interface=0)
UART = SerialDevice("/dev/ttyAMA0", driver="uart-pl011")
QUAD = tuple(
    SerialDevice(f"/dev/ttyUSB{4 + n}", serial="FT4", usb_path="1-2", interface=n, port_number=0)
    for n in range(4)
)


@pytest.mark.parametrize(
    "match",
    [
        DeviceMatch(serial="A50285BI"),
        DeviceMatch(usb_path="1-1.2", interface=0),
        DeviceMatch(usb_path="1-1.2"),
        DeviceMatch(vid="0403", pid="6001"),
        DeviceMatch(pid="6001"),
    ],
)
def test_each_property_finds_its_device(match: DeviceMatch) -> None:
    assert find(match, [CH340, FTDI, UART]) is FTDI


def test_a_match_that_fits_nothing_is_absent() -> None:
    with pytest.raises(DeviceAbsentError, match=re.escape('{serial: A50285BI, vid: "1a86"}')):
        find(DeviceMatch(serial="A50285BI", vid="1a86"), [FTDI, CH340])


def test_a_match_that_fits_two_devices_names_both() -> None:
    with pytest.raises(DeviceError) as caught:
        find(DeviceMatch(serial="FT4"), QUAD[:2])
    assert not isinstance(caught.value, DeviceAbsentError)
    assert "/dev/ttyUSB4 (USB 1-2, interface 0) and /dev/ttyUSB5 (USB 1-2, interface 1)" in str(
        caught.value
    )


def test_a_serial_number_may_be_written_as_udev_writes_it() -> None:
    odd = replace(FTDI, serial="PS 1/2 #3")
    assert udev_text("PS 1/2 #3") == "PS_1_2_#3"
    assert find(DeviceMatch(serial="PS_1_2_#3"), [odd]) is odd
    assert find(DeviceMatch(serial="PS 1/2 #3"), [odd]) is odd


def test_a_path_finds_its_device_through_links(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", serial="A")
    link = machine.udev_link("serial/by-id/usb-A-if00-port0", "ttyUSB0")
    devices = scan(str(machine.sysfs), str(machine.dev))
    assert find(str(link), devices) is devices[0]


def test_a_pseudo_terminal_stays_a_path(tmp_path: Path) -> None:
    master, slave = os.openpty()
    try:
        link = tmp_path / "instrument"
        link.symlink_to(os.ttyname(slave))
        assert find(str(link), [FTDI]) == str(link)
    finally:
        os.close(master)
        os.close(slave)


def test_a_path_that_leads_nowhere_is_absent(tmp_path: Path) -> None:
    link = tmp_path / "instrument"
    with pytest.raises(DeviceAbsentError, match="instrument is not there"):
        find(str(link), [])
    link.symlink_to("ttyUSB9")
    with pytest.raises(DeviceAbsentError, match=r"a link to .*/ttyUSB9\) is not there"):
        find(str(link), [])


def test_a_url_is_left_to_pyserial() -> None:
    assert find("socket://localhost:7000", [FTDI]) == "socket://localhost:7000"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({}, "needs one of"),
        ({"interface": 0}, "needs one of"),
        ({"serial": ""}, "serial is empty"),
        ({"usb_path": "1-1:1.0"}, "one looks like 1-1.2"),
        ({"vid": "0403", "interface": 256}, "not between 0 and 255"),
        ({"vid": "403"}, "vid '403' is not four"),
        ({"vid": "0403", "pid": "0x6001"}, "pid '0x6001' is not four"),
        ({"vid": "1A86"}, "lower case"),
    ],
)
def test_what_cannot_be_a_match_is_refused(keys: dict[str, str | int], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        DeviceMatch(**keys)  # type: ignore[arg-type]


texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)


@settings(deadline=None)
@given(texts)
def test_a_match_is_written_so_that_yaml_reads_the_same(serial: str) -> None:
    written = str(DeviceMatch(serial=serial, usb_path="1-1.2", interface=3, vid="0403", pid="1e10"))
    assert yaml.safe_load(written) == {
        "serial": serial,
        "usb_path": "1-1.2",
        "interface": 3,
        "vid": "0403",
        "pid": "1e10",
    }


def test_the_serial_number_is_the_best_match() -> None:
    choice = best_match(FTDI, [FTDI, CH340, UART])
    assert choice.device == DeviceMatch(serial="A50285BI")
    assert choice.reason is None


def test_without_a_serial_number_it_is_the_socket() -> None:
    choice = best_match(CH340, [FTDI, CH340])
    assert choice.device == DeviceMatch(usb_path="1-1.3", interface=0)
    assert choice.reason is not None
    assert "no serial number" in choice.reason


def test_a_serial_number_that_two_adapters_share_is_none() -> None:
    clone = replace(FTDI, path="/dev/ttyUSB9", usb_path="1-4")
    choice = best_match(FTDI, [FTDI, clone])
    assert choice.device == DeviceMatch(usb_path="1-1.2", interface=0)
    assert choice.reason is not None
    assert "/dev/ttyUSB9" in choice.reason


@pytest.mark.parametrize("serial", sorted(PLACEHOLDERS))
def test_a_placeholder_is_not_trusted(serial: str) -> None:
    device = replace(FTDI, serial=serial)
    assert best_match(device, [device]).device == DeviceMatch(usb_path="1-1.2", interface=0)
    assert not has_identity(device)


def test_an_adapter_with_four_ports_is_told_by_its_interfaces() -> None:
    for number, port in enumerate(QUAD):
        assert best_match(port, QUAD).device == DeviceMatch(serial="FT4", interface=number)


def test_ports_of_one_interface_are_told_by_udevs_links() -> None:
    ports = [
        replace(FTDI, path=f"/dev/ttyUSB{n}", port_number=n, by_id=f"/dev/serial/by-id/x-port{n}")
        for n in range(2)
    ]
    assert best_match(ports[1], ports).device == "/dev/serial/by-id/x-port1"
    bare = [replace(port, by_id=None) for port in ports]
    assert best_match(bare[1], bare).device == "/dev/ttyUSB1"


def test_a_port_of_the_board_is_told_by_its_path_and_one_of_a_card_by_its_slot() -> None:
    assert best_match(UART, [UART]).device == "/dev/ttyAMA0"
    card = SerialDevice("/dev/ttyS4", by_path="/dev/serial/by-path/pci-0000:03:00.0")
    assert best_match(card, [UART, card]).device == "/dev/serial/by-path/pci-0000:03:00.0"


devices = st.lists(
    st.builds(
        SerialDevice,
        path=st.integers(0, 50).map("/dev/ttyUSB{}".format),
        serial=st.sampled_from([None, "A", "B", "0001"]),
        usb_path=st.sampled_from(["1-1", "1-2", "2-1.4"]),
        interface=st.integers(0, 1),
    ),
    unique_by=(lambda d: d.path, lambda d: (d.usb_path, d.interface)),
    min_size=1,
)


@settings(deadline=None)
@given(devices)
def test_the_best_match_of_a_device_finds_that_device(present: list[SerialDevice]) -> None:
    for device in present:
        assert find(best_match(device, present).device, present) is device


def test_identity_needs_more_than_a_socket(tmp_path: Path) -> None:
    assert has_identity(FTDI)
    assert not has_identity(CH340)
    assert has_identity(UART)
    assert has_identity("socket://localhost:7000")
    link = tmp_path / "psu1"
    link.symlink_to(tmp_path / "ttyUSB3")
    assert not has_identity(str(link))
    assert has_identity(str(tmp_path / "pty"))


def test_what_comes_back_is_the_same_only_with_its_serial_number() -> None:
    moved = replace(FTDI, path="/dev/ttyUSB7", usb_path="2-1")
    assert same_device(FTDI, moved)
    assert not same_device(FTDI, replace(FTDI, serial="B"))
    assert not same_device(FTDI, replace(FTDI, interface=1))
    assert not same_device(FTDI, replace(FTDI, serial=None))
    assert not same_device(CH340, CH340)
    assert same_device(UART, UART)
    assert not same_device(UART, replace(UART, path="/dev/ttyS0"))
    assert same_device("/tmp/instrument", "/tmp/instrument")
    assert not same_device("/dev/ttyUSB0", "/dev/ttyUSB0")
    assert not same_device(FTDI, "/tmp/instrument")
