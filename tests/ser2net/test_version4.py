"""ser2net.yaml in both versions, and as Debian ships it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.ser2net import version4
from gatewayd.ser2net.model import Connection, Default, Option, Remark, UnreadableError
from tests.ser2net.debian import debian_file

ONE = """\
%YAML 1.1
---
define: &base "/dev/serial/by-path/pci-0000:00:1d.0"
define: &usb "*(base)-usb-0:1"
define: &hello \\r\\nport \\p [\\B]\\r\\n
default:
  name: speed
  value: 115200n81
  class: serialdev
connection: &con1
  accepter: telnet(rfc2217),tcp,2002
  enable: off
  timeout: 0
  connector: serialdev,
             *(usb)-port0,
             local
  options:
    banner: *hello
    mdns-txt: "a=b"
    mdns-txt: "c=d"
delete_default:
  name: speed
  class: serialdev
connection: &con2
  accepter: tcp,2003
  timeout: 30
  connector: serialdev,/dev/ttyS0
rotator: &rot1
  accepter: telnet,tcp,2020
  connections: [ *con1, *con2 ]
connection: &con3
  accepter: tcp,2004
"""

TWO = """\
%YAML 1.1
---
defines:
  dev: /dev/ttyUSB
  hello: Port \\N
defaults:
  local:
    value: true
    class: serialdev
connections:
  usb0:
    accepter: tcp,4001
    connector: serialdev,=(dev)0,9600n81
    options:
      banner: =(hello)
---
delete_defaults:
  local: [serialdev]
connections:
  usb1:
    accepter: tcp,4002
    connector: serialdev,=(dev)1,9600n81
leds:
  led1: {driver: sysfs}
"""


def connections(text: str) -> dict[str, Connection]:
    found = version4.read(text, "ser2net.yaml").connections
    return {connection.name: connection for connection in found}


def test_version_1_repeats_keys_and_pastes_anchors() -> None:
    found = connections(ONE)
    assert list(found) == ["con1", "con2"]
    con1 = found["con1"]
    assert (con1.line, con1.enabled) == (10, False)
    assert con1.accepter == Option("accepter", "telnet(rfc2217),tcp,2002", 11)
    path = "/dev/serial/by-path/pci-0000:00:1d.0-usb-0:1-port0"
    assert con1.connector == Option("connector", f"serialdev, {path}, local", 14)
    assert con1.options == (
        Option("banner", "\\r\\nport \\p [\\B]\\r\\n", 18),
        Option("mdns-txt", "a=b", 19),
        Option("mdns-txt", "c=d", 20),
    )
    assert con1.defaults == (Default("speed", "115200n81", "serialdev", 7),)
    assert found["con2"].defaults == ()
    assert found["con2"].options == (Option("timeout", "30", 26),)


def test_version_1_names_what_has_no_counterpart() -> None:
    assert version4.read(ONE, "x").remarks == (
        Remark(28, "rotator: rotators have no counterpart"),
        Remark(31, "con3: left out, it needs an accepter and a connector"),
    )


def test_version_2_has_one_mapping_for_each_kind() -> None:
    found = connections(TWO)
    assert found["usb0"].connector.value == "serialdev,/dev/ttyUSB0,9600n81"
    assert found["usb0"].options == (Option("banner", "Port \\N", 15),)
    assert found["usb0"].defaults == (Default("local", "true", "serialdev", 8),)
    assert found["usb1"].connector.value == "serialdev,/dev/ttyUSB1,9600n81"
    assert found["usb1"].defaults == ()
    assert version4.read(TWO, "x").remarks == (Remark(24, "led: LEDs have no counterpart"),)


def test_the_file_that_debian_installs() -> None:
    found = connections(debian_file("etc/ser2net.yaml").read_text())
    assert sorted(found) == ["con0096", "con0192", "con1096", "con1192"]
    assert found["con0096"].connector.value == "serialdev, /dev/ttyS0, 9600n81,local"
    assert [option.name for option in found["con0096"].options] == [
        "banner",
        "kickolduser",
        "telnet-brk-on-sync",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "ser2net.yaml:1: "),
        ("a: b\n\tc: d\n", "ser2net.yaml:2: "),
        ("[" * 100, "ser2net.yaml:1: nested too deeply"),
        ("define: &a 0123456789\n" + "define: &a '*(a)*(a)'\n" * 20, "a text of more than 4096"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        version4.read(text, "ser2net.yaml")
    assert message in str(raised.value)


LINES = ONE.splitlines() + TWO.splitlines()


@given(st.one_of(st.text(), st.lists(st.sampled_from(LINES)).map("\n".join)))
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(UnreadableError):
        version4.read(text, "ser2net.yaml")
