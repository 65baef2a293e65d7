"""The formats of `gatewayd export`, from configurations to text."""

from __future__ import annotations

import json
import re
from types import ModuleType
from xml.etree import ElementTree

import pytest
import yaml

from gatewayd.config.load import parse
from gatewayd.config.schema import ClientCertificate, Door, Tls, TlsFiles
from gatewayd.device.scan import SerialDevice
from gatewayd.export import avahi, labgrid, prometheus, pyvisa, ser2net
from gatewayd.export.model import Export, Here
from gatewayd.ser2net import version4
from gatewayd.ser2net.convert import Imported, convert

ADAPTER = SerialDevice(
    "/dev/ttyUSB0",
    vid="0403",
    pid="6001",
    serial="A50285BI",
    by_id="/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0",
    by_path="/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0",
    usb_path="1-1",
    interface=0,
)
HERE = Here("pi-lab3", (ADAPTER,))


ALLOW = "allow: [10.0.0.0/8, 'fd00::/8']\n"


def made(module: ModuleType, ports: str, top: str = "") -> Export:
    config = parse(f"version: 1\n{ALLOW}{top}ports:\n{ports}", "test")
    export: Export = module.export(config, HERE)
    return export


def text(export: Export) -> str:
    ((_, text),) = export.files
    return text


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("0.0.0.0:7101", "TCPIP::pi-lab3::7101::SOCKET\n"),
        ("'[::]:7101'", "TCPIP::pi-lab3::7101::SOCKET\n"),
        ("10.0.0.7:7101", "TCPIP::10.0.0.7::7101::SOCKET\n"),
        ("[7101, 10.0.0.7:7102]", "TCPIP::10.0.0.7::7102::SOCKET\n"),
    ],
)
def test_a_visa_name_has_what_others_reach(raw: str, name: str) -> None:
    export = made(pyvisa, f"  a: {{device: /dev/a, raw: {raw}}}\n")
    assert export == Export((("resources.txt", name),))


def test_visa_says_what_it_leaves_out() -> None:
    export = made(
        pyvisa,
        "  a: {device: /dev/a, rfc2217: 7001}\n"
        "  b: {device: /dev/b, raw: 7101}\n"
        "  c: {device: /dev/c, raw: '[fd00::1]:7102'}\n",
    )
    assert text(export) == "TCPIP::127.0.0.1::7101::SOCKET\n"
    assert [remark.partition(":")[0] for remark in export.remarks] == ["a", "b", "c"]


def test_labgrid_gets_a_group_for_each_port() -> None:
    export = made(
        labgrid,
        "  psu1: {device: /dev/a, line: 115200 8N1, rfc2217: 0.0.0.0:7001, raw: 0.0.0.0:7101}\n"
        "  '12': {device: /dev/b, rfc2217: 7002, raw: '[fd00::1]:7102'}\n",
    )
    assert yaml.safe_load(text(export)) == {
        "psu1": {
            "NetworkSerialPort": {
                "host": "pi-lab3",
                "port": 7001,
                "speed": 115200,
                "protocol": "rfc2217",
            }
        },
        "12": {
            "NetworkSerialPort": {
                "host": "fd00::1",
                "port": 7102,
                "speed": 9600,
                "protocol": "raw",
            }
        },
    }
    assert export.remarks == ()


def test_labgrid_is_warned_of_loopback() -> None:
    (remark,) = made(labgrid, "  a: {device: /dev/a, rfc2217: 7001}\n").remarks
    assert remark.startswith("a: listens on loopback only")


@pytest.mark.parametrize("module", [labgrid, pyvisa, ser2net])
def test_no_ports_are_no_error(module: ModuleType) -> None:
    export = made(module, "")
    assert export.remarks == ()
    assert not yaml.safe_load(text(export))


def test_ser2net_knows_an_adapter_by_its_link() -> None:
    for match, link in (("serial: A50285BI", ADAPTER.by_id), ("usb_path: 1-1", ADAPTER.by_path)):
        export = made(ser2net, f"  a: {{device: {{{match}}}, raw: 7101}}\n")
        assert f"  connector: 'serialdev,{link},9600n81,local'\n" in text(export)
        assert export.remarks == ()


def test_ser2net_leaves_out_what_is_not_plugged_in() -> None:
    export = made(
        ser2net,
        "  a: {device: {serial: GONE}, raw: 7101}\n  b: {device: /dev/b, raw: 7102}\n",
    )
    (remark,) = export.remarks
    assert remark.startswith("a: left out, no device fits {serial: GONE}")
    assert "# a: left out" in text(export)
    assert [port.port.name for port in back(export)] == ["b"]


def test_ser2net_is_told_all_that_it_can_do() -> None:
    ports = (
        "  a:\n"
        "    device: /dev/a b,c\n"
        "    line: 115200 7E2 rtscts xonxoff\n"
        "    rfc2217: ['[::]:7001', '[::1]:7002', 127.0.0.1:7003]\n"
        "    raw: [10.0.0.7:7101]\n"
        "    takeover: true\n"
        "    signals: {dtr: off, rts: on}\n"
    )
    export = made(ser2net, ports)
    assert export.remarks == (f"a: {ser2net.ALLOW}",)
    (port,) = back(export)
    before = parse(f"version: 1\n{ALLOW}ports:\n{ports}", "test").ports[0]
    assert port.port == before


def test_what_ser2net_cannot_do_is_told_at_the_port() -> None:
    export = made(
        ser2net,
        "  a:\n"
        "    device: /dev/a\n"
        "    line: {bytesize: 5, stopbits: 1.5}\n"
        "    raw: 7101\n"
        "    on_unplug: close\n"
        "    lenient: true\n"
        "    signals: {dtr: keep}\n",
    )
    told = ["lenient", "on_unplug", "line", "signals"]
    assert [remark.split(": ")[1] for remark in export.remarks] == told
    for remark in export.remarks:
        assert f"# {remark}\n" in text(export)


def test_names_that_become_one_are_told_apart() -> None:
    export = made(
        ser2net, "  a.b: {device: /dev/a, raw: 7101}\n  a_b: {device: /dev/b, raw: 7102}\n"
    )
    assert [port.port.name for port in back(export)] == ["a_b", "a_b-2"]


def back(export: Export) -> tuple[Imported, ...]:
    """The ports that `gatewayd import` makes of it."""
    ports, remarks = convert(version4.read(text(export), "test"))
    assert remarks == ()
    return ports


# ---- Prometheus


@pytest.mark.parametrize(
    ("metrics", "target"),
    [
        ("0.0.0.0:9317", "pi-lab3:9317"),
        ("[9317, '[fd00::1]:9318']", "[fd00::1]:9318"),
        ("9317", "127.0.0.1:9317"),
    ],
)
def test_prometheus_gets_the_address_of_the_metrics(metrics: str, target: str) -> None:
    export = made(prometheus, "", f"metrics: {metrics}\n")
    groups = [{"targets": [target], "labels": {"gateway": "pi-lab3"}}]
    assert json.loads(text(export)) == groups
    assert len(export.remarks) == target.startswith("127.")


def test_without_metrics_there_is_nothing_to_scrape() -> None:
    export = made(prometheus, "")
    assert json.loads(text(export)) == []
    assert export.remarks == ("nothing to scrape; write metrics: 9317",)


# ---- Avahi


def test_avahi_gets_a_file_for_each_name() -> None:
    export = made(
        avahi,
        "  psu1: {device: /dev/a, raw: [0.0.0.0:7101, 0.0.0.0:7102], scpi: true}\n"
        "  here: {device: /dev/b, rfc2217: 7001}\n"
        "  quiet: {device: /dev/c, rfc2217: 0.0.0.0:7002, advertise: false}\n",
    )
    assert [name for name, _ in export.files] == [
        "gatewayd-psu1.service",
        "gatewayd-psu1-7102.service",
    ]
    group = ElementTree.fromstring(export.files[0][1])
    assert group.findtext("name") == "psu1 on %h"
    found = [(one.findtext("type"), one.findtext("port")) for one in group.iter("service")]
    assert found == [("_iostream._tcp", "7101"), ("_scpi-raw._tcp", "7101")]
    texts = [one.text for one in group.iter("txt-record")]
    assert "provider=gatewayd" in texts
    assert "port=psu1" in texts
    (remark,) = export.remarks
    assert remark.startswith("here: listens on loopback only")


def test_avahi_is_not_to_tell_twice() -> None:
    (remark,) = made(avahi, "", "advertise: true\n").remarks
    assert "twice" in remark


@pytest.mark.parametrize(
    ("allow", "hosts"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("[10.1.0.0/16, 192.0.2.7]", "10.1.0.0/255.255.0.0, 192.0.2.7"),
        ("['fd00::/8', '2001:db8::1']", "[fd00::]/8, [2001:db8::1]/128"),
    ],
)
def test_ser2net_is_told_how_tcp_wrappers_let_in_the_same(allow: str, hosts: str) -> None:
    export = made(ser2net, f"  a.b: {{device: /dev/a, raw: {{listen: 1, allow: {allow}}}}}\n")
    assert f"a.b: {ser2net.ALLOW}" in export.remarks
    assert (
        f"# /etc/hosts.allow: ser2net-a_b: {hosts}\n"
        "# /etc/hosts.deny:  ser2net-a_b: ALL\n"
        "connection: &a_b\n"
        "  accepter: 'tcp(tcpdname=ser2net-a_b),127.0.0.1,1'\n"
    ) in text(export)


def test_addresses_with_the_same_list_have_one_name_to_tcp_wrappers() -> None:
    ports = (
        "  a:\n    device: /dev/a\n    allow: 10.0.0.0/8\n"
        "    raw: ['0.0.0.0:1', {listen: '0.0.0.0:2', allow: 10.0.0.7}]\n"
        "    rfc2217: ['0.0.0.0:3', 4]\n"
    )
    export = made(ser2net, ports)
    assert export.remarks == (f"a: {ser2net.ALLOW}",)
    found = re.findall(r"tcp(?:\(tcpdname=([\w-]+)\))?,[\d.]+,(\d)'", text(export))
    names = {int(number): name for name, number in found}
    assert names == {1: "ser2net-a", 2: "ser2net-a-4", 3: "ser2net-a", 4: ""}
    lists = dict(re.findall(r"^# /etc/hosts.allow: ([\w-]+): (.*)$", text(export), re.MULTILINE))
    assert lists == {"ser2net-a": "10.0.0.0/255.0.0.0", "ser2net-a-4": "10.0.0.7"}


def test_tls_goes_to_ser2net_and_comes_back() -> None:
    keys = "tls: {certificate: /c.crt, key: /k.key, client_ca: /ca.crt}\nusers: /users\n"
    export = made(
        ser2net,
        "  a:\n    device: /dev/a\n    raw: {listen: 1, tls: implicit}\n"
        "    rfc2217:\n"
        "      - {listen: 2, tls: implicit, client_certificate: required}\n"
        "      - {listen: 3, tls: starttls}\n"
        "      - {listen: 4, login: required}\n",
        keys,
    )
    assert [remark.partition(" is left out, ")[2] for remark in export.remarks] == [
        "ser2net has no START_TLS",
        "ser2net would let in whoever comes",
    ]
    (imported,), remarks = convert(version4.read(text(export), "x"))
    assert remarks == ()
    assert imported.tls == TlsFiles("/c.crt", "/k.key", "/ca.crt")
    (raw,), (telnet,) = imported.port.raw, imported.port.rfc2217
    assert raw.door == Door(Tls.IMPLICIT)
    assert telnet.door == Door(Tls.IMPLICIT, ClientCertificate.REQUIRED)
