"""Whole files as they are met, and what must come out of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatewayd.config.load import parse
from gatewayd.config.schema import PortConfig
from gatewayd.ser2net import version3, version4
from gatewayd.ser2net.convert import convert
from gatewayd.ser2net.write import configuration

PLACES = """\
ipv4,tcp,5000:raw:0:/dev/ttyUSB-P1:115200 NONE 1STOPBIT 8DATABITS max-connections=10
localhost,5001:telnet:0:/dev/ttyS1:9600 remctl
0.0.0.0,5002:raw:0:/dev/ttyS2:9600
tcp,5003:raw:0:/dev/ttyS3:9600
ipv4,5004:raw:0:/dev/ttyS4:9600
3020:telnet:0:/dev/ttyUSB0: 9600
"""
OPENWRT = """\
DEFAULT:speed:115200
DEFAULT:databits:7
DEFAULT:stopbits:1
DEFAULT:parity:even
DEFAULT:remctl:true
DEFAULT:rtscts:false
DEFAULT:telnet_brk_on_sync:true
DEFAULT:kickolduser:true
LED:rx:sysfs:device=board:green:rs485 state=1 duration=20
DEVICE:meter:/dev/serial/by-path/platform-1e1c0000.xhci-usb-0:1:1.0-port0
5000:telnet:0:meter:9600 led-rx=rx -RTSCTS -XONXOFF
5001:telnet:0:/dev/ttyUSB1:
5002:raw:0:/dev/ttyUSB2:115200 8DATABITS NONE 2STOPBITS
"""
CLASSES = """\
default: {name: databits, value: 7, class: serialdev}
default: {name: parity, value: even, class: serialdev}
default: {name: nodelay, value: true, class: tcp}
default: {name: parity, value: odd, class: tcp}
connection: &a
  accepter: tcp,5000
  connector: serialdev,/dev/ttyS1,9600
connection: &b
  accepter: tcp,5001
  connector: serialdev,/dev/ttyS2,19200n81
"""


def imported(text: str) -> tuple[dict[str, PortConfig], list[str]]:
    """The ports by their names, as `check` reads them, and all remarks with their lines."""
    source = version3.read(text) if version3.looks_like_conf(text) else version4.read(text, "f")
    ports, remarks = convert(source)
    judged = parse(configuration(ports, remarks, "f"), "result").ports
    lost = {*remarks, *(remark for port in ports for remark in port.remarks)}
    return {port.name: port for port in judged}, [f"{one.line}: {one.text}" for one in sorted(lost)]


def told(port: PortConfig) -> list[str]:
    return [f"{face.value} {address}" for face, address in port.listeners]


def test_the_places_that_version_3_listens_at() -> None:
    ports, lost = imported(PLACES)
    assert {name: told(port) for name, port in ports.items()} == {
        "ttyUSB-P1": ["raw 0.0.0.0:5000"],
        "ttyS1": ["rfc2217 127.0.0.1:5001"],
        "ttyS2": ["raw 0.0.0.0:5002"],
        "ttyS3": ["raw [::]:5003"],
        "ttyS4": ["raw 0.0.0.0:5004"],
        "ttyUSB0": ["rfc2217 [::]:3020"],
    }
    assert str(ports["ttyUSB-P1"].line) == "115200 8N1"
    assert [one.split(":")[:2] for one in lost] == [
        ["1", " max-connections"],
        ["6", " telnet without rfc2217"],
    ]


def test_what_openwrt_writes() -> None:
    ports, lost = imported(OPENWRT)
    assert {name: (told(port), str(port.line)) for name, port in ports.items()} == {
        "meter": (["rfc2217 [::]:5000"], "9600 7E1"),
        "ttyUSB1": (["rfc2217 [::]:5001"], "115200 7E1"),
        "ttyUSB2": (["raw [::]:5002"], "115200 8N2"),
    }
    assert all(port.takeover for port in ports.values())
    assert [one.split(": ")[1] for one in lost] == ["telnet-brk-on-sync", "LED rx", "led-rx"]


def test_defaults_of_a_class() -> None:
    ports, lost = imported(CLASSES)
    assert [str(port.line) for port in ports.values()] == ["9600 7E1", "19200 8N1"]
    assert lost == [
        "3: default nodelay of tcp: has no counterpart",
        "4: default parity of tcp: has no counterpart",
    ]


def test_one_device_twice_at_one_address() -> None:
    text = "3003:telnet:0:/dev/ttyS2:9600 remctl\n3003:telnet:0:/dev/ttyS2:9600 remctl\n"
    ports, lost = imported(text)
    assert {name: told(port) for name, port in ports.items()} == {"ttyS2": ["rfc2217 [::]:3003"]}
    assert lost == [
        "2: ttyS2: left out, since its address is that of ttyS2 on line 1, which keeps it"
    ]


def test_everywhere_is_also_here() -> None:
    text = "connection: &{0}\n  accepter: {1}\n  connector: serialdev,/dev/{0}\n"
    ports, lost = imported(
        text.format("a", "tcp,5000")
        + text.format("b", "tcp,127.0.0.1,5000")
        + text.format("c", "tcp,5001")
    )
    assert list(ports) == ["a", "c"]
    assert lost == ["4: b: left out, since its address is that of a on line 1, which keeps it"]


def test_a_port_that_is_off_has_no_address() -> None:
    ports, lost = imported("3003:off:0:/dev/ttyS2:9600\n3003:raw:0:/dev/ttyS3:9600\n")
    assert (list(ports), lost) == (["ttyS3"], [])


LINES = st.tuples(
    st.sampled_from(["", "ipv4,", "ipv6,"]),
    st.sampled_from(["", "tcp,", "udp,"]),
    st.sampled_from(["", "0,", "*,", "localhost,", "127.0.0.1,", "0.0.0.0,", "pi,"]),
    st.sampled_from(["5000", "5001", "5002"]),
    st.sampled_from([":raw:0:", ":telnet:0:", ":off:0:"]),
    st.sampled_from(["/dev/none1", "/dev/none2", "/dev/none3"]),
    st.sampled_from([":9600", ":19200 7DATABITS", ":remctl kickolduser", ":EVEN RTSCTS"]),
)


@given(st.lists(LINES.map("".join), max_size=6))
def test_what_comes_out_passes_check(lines: list[str]) -> None:
    imported("TRACEFILE:x:/tmp/x\n" + "\n".join(lines))
