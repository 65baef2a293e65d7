"""Configuration files for tests: one with much in it, and one with every key of a port."""

from __future__ import annotations

from typing import Final

from gatewayd.config.keys import PORT_SETTINGS
from gatewayd.config.load import parse
from gatewayd.config.schema import PortConfig

FULL: Final = """\
version: 1
control: /run/user/1000/gatewayd
ports:
  psu1:
    description: bench supply, rack 2
    device: /dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0
    line: 9600 8N1
    rfc2217: 127.0.0.1:7001
    raw: 127.0.0.1:7101
  Scope_2.a:
    device: {serial: 00123, interface: 1}
    line: {baudrate: 12345, bytesize: 7, parity: E, stopbits: 2, xonxoff: true, dsrdtr: false}
    rfc2217: ['[::1]:7002', {listen: 0.0.0.0:7002, clear_text: true}]
    lenient: true
    takeover: true
    signals: {dtr: off, rts: on}
    peer_timeout: 2min
    between_sessions: keep
    on_unplug: hold for 30s
    while_absent: refuse
    trust_path: true
"""


def of_examples() -> PortConfig:
    """The port `psu1`, with each key as the table has it for an example: never its default."""
    lines = [f"    {setting.key}: {setting.example}\n" for setting in PORT_SETTINGS]
    (port,) = parse("version: 1\nports:\n  psu1:\n" + "".join(lines), "examples").ports
    return port
