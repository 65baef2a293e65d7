"""ser2net.conf, line by line."""

from __future__ import annotations

import pytest

from gatewayd.ser2net import version3
from gatewayd.ser2net.model import Connection, Default, Option, Remark

CONF = """\
# Old times
BANNER:hello:port \\p\\r\\n\\
second line
TRACEFILE:log:/var/log/\\p
DEVICE:usb:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0
DEFAULT:speed:19200:serialdev
CONTROLPORT:3000

2000:telnet:600:/dev/ttyS0:9600 8DATABITS NONE 1STOPBIT remctl hello
localhost,2001:raw:0:usb:115200,EVEN,-XONXOFF RTSCTS tb=log max-connections=3 kickolduser
2002:off:0:ttyS1:
5001:rawlp:10:/dev/lp0
what is this
"""


def connections(text: str = CONF) -> dict[str, Connection]:
    return {connection.name: connection for connection in version3.read(text).connections}


def test_a_telnet_port() -> None:
    found = connections()["ttyS0"]
    assert (found.line, found.enabled) == (9, True)
    assert found.accepter.value == "telnet(rfc2217),2000"
    assert found.connector.value == 'serialdev,"/dev/ttyS0",9600,8DATABITS,NONE,1STOPBIT'
    assert found.options == (Option("timeout", "600", 9), Option("banner", "hello", 9))


def test_a_raw_port_on_an_alias_with_colons() -> None:
    found = connections()["usb"]
    assert found.accepter.value == "localhost,2001"
    assert found.connector.value == (
        'serialdev,"/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0",'
        "115200,EVEN,xonxoff=false,rtscts=true"
    )
    assert found.options == (
        Option("trace-both", "log", 10),
        Option("max-connections", "3", 10),
        Option("kickolduser", "true", 10),
    )


def test_ports_that_are_off_and_printers() -> None:
    assert not connections()["ttyS1"].enabled
    assert connections()["ttyS1"].connector.value == 'serialdev,"/dev/ttyS1",'
    assert connections()["lp0"].connector.value.endswith("wronly=true")


def test_defaults_hold_for_what_follows_them() -> None:
    assert connections()["ttyS0"].defaults == (Default("speed", "19200", "serialdev", 6),)
    deleted = "DEFAULT:speed:1200\nDELDEFAULT:speed\n2000:raw:0:/dev/ttyS0:9600\n"
    assert connections(deleted)["ttyS0"].defaults == ()


def test_what_is_not_understood_is_named() -> None:
    assert version3.read(CONF).remarks == (
        Remark(7, "CONTROLPORT 3000: has no counterpart"),
        Remark(13, "'what is this': not understood"),
    )


@pytest.mark.parametrize(
    ("text", "old"),
    [
        (CONF, True),
        ("BANNER:a:b\n", True),
        ("# 2000:raw:0:/dev/ttyS0:9600\n", False),
        ("connection: &a\n  accepter: tcp,2000\n", False),
        ("", False),
    ],
)
def test_the_formats_are_told_apart(text: str, old: bool) -> None:
    assert version3.looks_like_conf(text) is old
