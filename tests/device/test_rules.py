"""The udev rules: their syntax, what they do to events, and that they agree with `devices`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gatewayd.device.match import PLACEHOLDERS, DeviceMatch, best_match, udev_text
from gatewayd.device.scan import SerialDevice
from tests.device.udev import Event, Node, parse

FILE = Path(__file__).parents[2] / "udev" / "61-gatewayd.rules"
RULES = parse(FILE.read_text(encoding="utf-8"))


def plugged(device: SerialDevice, *, interfaces: str = ":ffffff:", action: str = "add") -> Event:
    """The event of a tty, with the properties that 60-serial.rules has set before."""
    assert device.usb_path is not None
    assert device.interface is not None
    interface = f"{device.usb_path}:1.{device.interface}"
    number = f"{device.interface:02x}"
    name = Path(device.path).name
    ancestors = [
        Node(interface, "usb", {"bInterfaceNumber": number}),
        Node(device.usb_path, "usb", {"idVendor": "0403"}),
        Node("usb1", "usb", {"idVendor": "1d6b"}),
    ]
    if device.port_number is not None:
        ancestors.insert(0, Node(name, "usb-serial", {"port_number": str(device.port_number)}))
    env = {
        "ID_USB_DRIVER": device.driver or "",
        "ID_USB_INTERFACE_NUM": number,
        "ID_USB_INTERFACES": interfaces,
    }
    if device.serial is not None:
        env["ID_SERIAL_SHORT"] = udev_text(device.serial)
    return Event(action, Node(name, "tty"), ancestors, env)


FTDI = SerialDevice(
    "/dev/ttyUSB0",
    driver="ftdi_sio",
    serial="A50285BI",
    usb_path="1-1.2",
    interface=0,
    port_number=0,
)


def link(device: SerialDevice) -> str:
    event = plugged(device)
    event.run(RULES)
    (only,) = event.links
    return only


@pytest.mark.parametrize(
    ("serial", "interface", "port_number", "name"),
    [
        ("A50285BI", 0, 0, "gatewayd/A50285BI-if00"),
        ("FT4", 3, 0, "gatewayd/FT4-if03"),
        ("M0XA", 0, 2, "gatewayd/M0XA-if00-port2"),
        ("95035", 0, None, "gatewayd/95035-if00"),
        ("PS 1/2", 10, None, "gatewayd/PS_1_2-if0a"),
        (None, 0, 0, "gatewayd/usb-1-1.2-if00"),
        (None, 1, 3, "gatewayd/usb-1-1.2-if01-port3"),
        ("0001", 0, 0, "gatewayd/usb-1-1.2-if00"),
    ],
)
def test_the_link_of_an_adapter(
    serial: str | None, interface: int, port_number: int | None, name: str
) -> None:
    device = SerialDevice(
        "/dev/ttyACM0" if port_number is None else "/dev/ttyUSB7",
        serial=serial,
        usb_path="1-1.2",
        interface=interface,
        port_number=port_number,
    )
    assert link(device) == name


@pytest.mark.parametrize("serial", [None, "A50285BI", "FTDI 1", *sorted(PLACEHOLDERS)])
def test_the_link_names_what_the_configuration_matches(serial: str | None) -> None:
    device = SerialDevice("/dev/ttyUSB0", serial=serial, usb_path="1-1.2", interface=0)
    match = best_match(device, [device]).device
    assert isinstance(match, DeviceMatch)
    named = udev_text(match.serial) if match.serial else f"usb-{match.usb_path}"
    assert link(device) == f"gatewayd/{named}-if00"


def test_what_leaves_and_what_is_no_adapter_gets_no_link() -> None:
    for event in (
        plugged(FTDI, action="remove"),
        Event("add", Node("ttyS0", "tty")),
        Event("add", Node("tty7", "tty")),
        Event("add", Node("sda", "block")),
    ):
        before = dict(event.env)
        event.run(RULES)
        assert event.links == []
        assert event.env == before


@pytest.mark.parametrize(
    ("driver", "interfaces", "ignored"),
    [
        ("ftdi_sio", ":ffffff:", True),
        ("ch341", ":ff0102:", True),
        ("cdc_acm", ":020201:0a0000:", True),
        ("cdc_acm", ":020201:0a0000:020d00:0a0001:", False),
        ("cdc_acm", ":020e00:0a0002:020201:", False),
        ("option", ":ffffff:", False),
        ("qcserial", ":ffffff:", False),
    ],
)
def test_instruments_are_kept_from_modem_manager_and_modems_are_not(
    driver: str, interfaces: str, *, ignored: bool
) -> None:
    device = SerialDevice("/dev/ttyACM0", driver=driver, usb_path="1-1", interface=0)
    event = plugged(device, interfaces=interfaces)
    event.run(RULES)
    assert event.env.get("ID_MM_PORT_IGNORE") == ("1" if ignored else None)
    assert len(event.links) == 1


@pytest.mark.parametrize(
    ("product", "manufacturer", "hidden"),
    [
        ("1a86/7523/264", None, True),
        ("10c4/ea60/100", "Silicon Labs", True),
        ("403/6001/600", "FTDI", True),
        ("403/6001/600", "Hedo Reha Technik GmbH", False),
        ("1c71/c004/100", "HumanWare", False),
    ],
)
def test_brltty_finds_displays_but_no_adapters(
    product: str, manufacturer: str | None, *, hidden: bool
) -> None:
    attributes = {} if manufacturer is None else {"manufacturer": manufacturer}
    env = {"DEVTYPE": "usb_device", "PRODUCT": product}
    for action in ("add", "bind"):
        event = Event(action, Node("1-1", "usb", attributes), [], dict(env))
        event.run(RULES)
        assert ("PRODUCT" not in event.env) == hidden


@pytest.mark.parametrize(
    ("driver", "attributes", "latency"),
    [
        ("ftdi_sio", {"latency_timer": "16"}, "1"),
        ("ftdi_sio", {}, None),
        ("", {}, None),
        ("ch341-uart", {"latency_timer": "16"}, "16"),
    ],
)
def test_ftdi_chips_answer_at_once(
    driver: str, attributes: dict[str, str], latency: str | None
) -> None:
    event = Event("bind", Node("ttyUSB0", "usb-serial", dict(attributes), driver))
    event.run(RULES)
    assert event.device.attributes.get("latency_timer") == latency


@pytest.mark.parametrize(
    "text",
    [
        'ACTION=="add" KERNEL=="x"',
        'ACTION=="add',
        'ENV=="x"',
        'KERNEL="x"',
        'GOTO="nowhere"',
        'LABEL="unused"',
        'SYMLINKS+="x"',
    ],
)
def test_the_parser_of_this_test_takes_no_nonsense(text: str) -> None:
    with pytest.raises(ValueError, match=r"no rule|Token|labels"):
        parse(text)


def test_the_file_comes_between_those_it_depends_on_and_those_it_stops() -> None:
    assert "60-serial.rules" < FILE.name < "77-mm-usb-device-blacklist.rules" < "85-brltty.rules"


def test_udevadm_verifies_the_file() -> None:
    udevadm = shutil.which("udevadm")
    if udevadm is None:
        pytest.skip("udevadm is not installed (Debian: udev)")
    usage = subprocess.run([udevadm, "--help"], capture_output=True, text=True, check=True)
    if "verify" not in usage.stdout:
        pytest.skip("this udevadm has no `verify`; systemd 254 and later do")
    done = subprocess.run([udevadm, "verify", FILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
