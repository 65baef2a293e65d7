"""Devices are found as the kernel shows them, and nothing else is."""

from __future__ import annotations

import time
from pathlib import Path

from gatewayd.device.scan import NODE_NAME, SerialDevice, scan
from tests.device.machine import Machine


def found(machine: Machine) -> tuple[SerialDevice, ...]:
    return scan(str(machine.sysfs), str(machine.dev))


def test_a_machine_without_serial_devices_has_none(machine: Machine) -> None:
    assert found(machine) == ()


def test_no_sysfs_at_all_is_no_error(tmp_path: Path) -> None:
    assert scan(str(tmp_path / "no"), str(tmp_path / "nothing")) == ()


def test_this_machine_is_scanned_without_an_error() -> None:
    for device in scan():
        assert device.path.startswith("/dev/")


def test_a_usb_adapter_is_told_with_all_that_identifies_it(machine: Machine) -> None:
    node = machine.usb_serial("ttyUSB0", "1-1.2", serial="A50285BI")
    by_id = machine.udev_link("serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0", "ttyUSB0")
    by_path = machine.udev_link("serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.0-port0", "ttyUSB0")
    link = machine.udev_link("gatewayd/A50285BI-if00", "ttyUSB0")
    assert found(machine) == (
        SerialDevice(
            path=str(node),
            driver="ftdi_sio",
            vid="0403",
            pid="6001",
            serial="A50285BI",
            manufacturer="FTDI",
            product="FT232R USB UART",
            usb_path="1-1.2",
            interface=0,
            port_number=0,
            by_id=str(by_id),
            by_path=str(by_path),
            link=str(link),
        ),
    )


def test_a_cdc_device_hangs_on_its_interface(machine: Machine) -> None:
    machine.cdc_acm("ttyACM0", "2-3", interface=10, serial="95035")
    (device,) = found(machine)
    assert (device.driver, device.usb_path, device.interface) == ("cdc_acm", "2-3", 10)
    assert device.description == "Arduino Uno"
    assert device.port_number is None


def test_the_hub_above_lends_no_serial_number(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", "1-1.4.2", serial=None)
    (device,) = found(machine)
    assert device.serial is None
    assert device.usb_path == "1-1.4.2"


def test_ports_without_a_uart_are_left_out(machine: Machine) -> None:
    machine.uart("ttyS0", kind=4)
    machine.uart("ttyS1", kind=0)
    (device,) = found(machine)
    assert device.path == str(machine.dev / "ttyS0")
    assert device.usb_path is None


def test_the_serial_core_hides_no_driver(machine: Machine) -> None:
    machine.uart("ttyS0", kind=4, serial_core=True)
    (device,) = found(machine)
    assert device.driver == "serial"
    assert device.description == "serial port (serial)"


def test_the_console_of_the_kernel_is_marked(machine: Machine) -> None:
    machine.uart("ttyS0", kind=4)
    machine.usb_serial("ttyUSB0")
    assert [device.console for device in found(machine)] == [True, False]


def test_a_usb_gadget_has_no_hardware_behind_it_and_counts(machine: Machine) -> None:
    gadget = machine.sysfs / "devices/virtual/tty/ttyGS0"
    gadget.mkdir(parents=True)
    (machine.classes / "ttyGS0").symlink_to(gadget)
    (machine.dev / "ttyGS0").touch()
    (device,) = found(machine)
    assert device.path.endswith("ttyGS0")


def test_a_device_without_a_node_cannot_be_opened_and_is_left_out(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0").unlink()
    assert found(machine) == ()


def test_numbers_count_as_numbers_in_the_order(machine: Machine) -> None:
    for number in (10, 2, 0):
        machine.usb_serial(f"ttyUSB{number}", f"1-{number + 1}")
    names = [Path(device.path).name for device in found(machine)]
    assert names == ["ttyUSB0", "ttyUSB2", "ttyUSB10"]


def test_what_a_hostile_device_says_of_itself_cannot_steer_a_terminal(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", serial="\x1b[2JX\n1", product="é" * 500)
    (device,) = found(machine)
    assert device.serial == "[2JX1"
    assert device.product == "é" * 126


def test_a_device_that_calls_itself_nothing_is_described_by_its_numbers(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", vid="1a86", pid="7523", manufacturer=None, product=None)
    assert found(machine)[0].description == "USB device 1a86:7523"


def test_the_maker_is_not_said_twice(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", "1-1", manufacturer="FTDI", product="FTDI cable")
    machine.usb_serial("ttyUSB1", "1-2", manufacturer="FTDI", product="cable")
    assert [device.description for device in found(machine)] == ["FTDI cable", "FTDI cable"]


def test_sixty_four_devices_take_milliseconds(machine: Machine) -> None:
    for number in range(64):
        machine.usb_serial(f"ttyUSB{number}", f"1-{number // 8}.{number % 8}", serial=f"S{number}")
    times = []
    for _ in range(5):
        before = time.process_time()
        assert len(found(machine)) == 64
        times.append(time.process_time() - before)
    assert min(times) < 0.1


def test_virtual_consoles_are_not_called_like_serial_devices() -> None:
    names = ["ttyUSB0", "ttyAMA0", "ttymxc1", "rfcomm0", "tty", "tty1", "ttyS", "sda", "console"]
    fitting = [name for name in names if NODE_NAME.fullmatch(name)]
    assert fitting == ["ttyUSB0", "ttyAMA0", "ttymxc1", "rfcomm0", "ttyS"]
