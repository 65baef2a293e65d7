"""Entries are accepted as they are printed, and do not get in each other's way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.cli.entry import entries_for, entry_for, free_ports, propose_name
from gatewayd.config.load import parse
from gatewayd.device.match import DeviceMatch
from gatewayd.device.scan import SerialDevice
from gatewayd.value import replace

FTDI = SerialDevice(
    "/dev/ttyUSB0",
    vid="0403",
    pid="6001",
    serial="A50285BI",
    manufacturer="FTDI",
    product="FT232R USB UART",
    usb_path="1-1.2",
    interface=0,
)
UART = SerialDevice("/dev/ttyAMA0", driver="uart-pl011")

texts = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=126)
devices = st.lists(
    st.builds(
        SerialDevice,
        path=st.integers(0, 99).map("/dev/ttyUSB{}".format),
        driver=st.sampled_from([None, "ftdi_sio", "cdc_acm"]),
        serial=st.none() | st.sampled_from(["A", "b", "0001"]) | texts.filter(len),
        product=st.none() | st.sampled_from(["USB Serial", "y", "7001"]) | texts.filter(len),
        manufacturer=st.none() | texts.filter(len),
        usb_path=st.sampled_from(["1-1", "1-2", "2-1.4"]),
        interface=st.integers(0, 3),
    ),
    unique_by=(lambda d: d.path, lambda d: (d.usb_path, d.interface)),
    min_size=1,
)


@settings(deadline=None)
@given(devices)
def test_whatever_is_plugged_in_the_entries_are_a_configuration(
    present: list[SerialDevice],
) -> None:
    entries = entries_for(present)
    text = "version: 1\nports:\n" + "".join(entry.yaml() for entry in entries)
    config = parse(text, "pasted")
    assert [port.name for port in config.ports] == [entry.name for entry in entries]
    assert [port.device for port in config.ports] == [entry.choice.device for entry in entries]
    assert [port.description for port in config.ports] == [d.description for d in present]


def test_an_entry_reads_like_one_written_by_hand() -> None:
    assert entry_for(FTDI, [FTDI]).yaml() == (
        "  ft232r-usb-uart:\n"
        '    description: "FTDI FT232R USB UART"\n'
        "    device: {serial: A50285BI}\n"
        "    line: 9600 8N1\n"
        "    rfc2217: 127.0.0.1:7001\n"
        "    raw: 127.0.0.1:7101\n"
    )


def test_an_entry_for_a_socket_says_why() -> None:
    bare = replace(FTDI, serial=None)
    text = entry_for(bare, [bare], name="psu1").yaml(4)
    assert text.startswith("    psu1:\n        description: ")
    assert "        # it has no serial number: " in text
    assert "        device: {usb_path: 1-1.2, interface: 0}\n" in text


def test_a_port_of_the_board_is_named_like_its_node() -> None:
    entry = entry_for(UART, [UART])
    assert entry.name == "ttyama0"
    assert "device: /dev/ttyAMA0\n" in entry.yaml()


def test_twins_are_told_by_their_serial_numbers_and_ports_by_a_count() -> None:
    twin = replace(FTDI, path="/dev/ttyUSB1", serial="B 1", usb_path="1-3")
    second = replace(twin, path="/dev/ttyUSB2", interface=1)
    names = [entry.name for entry in entries_for([FTDI, twin, second])]
    assert names == ["ft232r-usb-uart-a50285bi", "ft232r-usb-uart-b-1", "ft232r-usb-uart-b-1-2"]


def test_a_taken_name_is_not_proposed_in_whatever_case() -> None:
    assert propose_name(UART, [UART], {"TTYAMA0"}) == "ttyama0-2"


def test_addresses_go_on_where_others_end() -> None:
    assert free_ports(set()) == (7001, 7101)
    assert free_ports({7001, 7102}) == (7003, 7103)
    assert free_ports(set(range(7000, 7200))) == (7201, 7301)


def test_a_hundred_and_fifty_devices_get_addresses_of_their_own() -> None:
    many = [replace(FTDI, path=f"/dev/ttyUSB{n}", serial=f"S{n}") for n in range(150)]
    entries = entries_for(many)
    numbers = [number for entry in entries for number in (entry.rfc2217, entry.raw)]
    assert len(set(numbers)) == 300
    assert entries[42].choice.device == DeviceMatch(serial="S42")
