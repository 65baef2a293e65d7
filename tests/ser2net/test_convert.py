"""What becomes of a connection: a port, a remark, or nothing with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.config.load import parse
from gatewayd.config.schema import Address, ClientCertificate, Door, PortConfig, Tls, TlsFiles
from gatewayd.line.model import LineSettings, Parity, SignalPolicy, StopBits
from gatewayd.ser2net import version3, version4
from gatewayd.ser2net.convert import CERTIFICATE_FILE, KEY_FILE, Imported, convert
from gatewayd.ser2net.model import Remark
from gatewayd.ser2net.write import configuration


def convert_yaml(
    accepter: str, connector: str, rest: str = ""
) -> tuple[tuple[Imported, ...], tuple[Remark, ...]]:
    text = f"connection: &con\n  accepter: {accepter}\n  connector: {connector}\n{rest}"
    return convert(version4.read(text, "ser2net.yaml"))


def one(accepter: str, connector: str, rest: str = "") -> Imported:
    ports, remarks = convert_yaml(accepter, connector, rest)
    assert remarks == ()
    (imported,) = ports
    return imported


def port(accepter: str = "tcp,2000", connector: str = "serialdev,/dev/ttyS0") -> PortConfig:
    imported = one(accepter, connector)
    assert imported.remarks == ()
    return imported.port


@pytest.mark.parametrize(
    ("accepter", "address"),
    [
        ("tcp,2000", Address("::", 2000)),
        ("tcp,localhost,2000", Address("127.0.0.1", 2000)),
        ("tcp,127.0.0.1,2000", Address("127.0.0.1", 2000)),
        ("tcp,ipv4,2000", Address("0.0.0.0", 2000)),
        ("tcp,ipv6,localhost,2000", Address("::1", 2000)),
        ("tcp(readbuf=64),fe80::1,2000", Address("fe80::1", 2000)),
        ("2000", Address("::", 2000)),
        ("localhost,2000", Address("127.0.0.1", 2000)),
        ("127.0.0.1,2000", Address("127.0.0.1", 2000)),
        ("ipv4,2000", Address("0.0.0.0", 2000)),
        ("ipv4,tcp,2000", Address("0.0.0.0", 2000)),
        ("ipv6,tcp,localhost,2000", Address("::1", 2000)),
        ("tcp,0,2000", Address("::", 2000)),
        ("tcp,*,2000", Address("::", 2000)),
        ("ipv4,*,2000", Address("0.0.0.0", 2000)),
    ],
)
def test_tcp_is_the_raw_face(accepter: str, address: Address) -> None:
    found = port(accepter)
    assert (found.raw, found.rfc2217) == ((address,), ())


@pytest.mark.parametrize(
    "accepter",
    [
        "telnet(rfc2217),tcp,2000",
        "telnet(mode=server,rfc2217=true),tcp,2000",
        "telnet(rfc2217),*,2000",
        "telnet(rfc2217),2000",
    ],
)
def test_telnet_is_the_rfc2217_face(accepter: str) -> None:
    found = port(accepter)
    assert (found.raw, found.rfc2217) == ((), (Address("::", 2000),))


def test_telnet_without_com_port_control_is_told() -> None:
    imported = one("telnet,tcp,2000", "serialdev,/dev/ttyS0")
    assert imported.port.rfc2217 == (Address("::", 2000),)
    assert [remark.line for remark in imported.remarks] == [2]


def test_a_default_may_switch_com_port_control_on() -> None:
    default = "default:\n  name: rfc2217\n  value: true\n  class: telnet\n"
    text = default + "connection: &a\n  accepter: telnet,tcp,1\n  connector: serialdev,/dev/ttyS0\n"
    ((imported,), _) = convert(version4.read(text, "x"))
    assert imported.remarks == ()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", LineSettings()),
        ("19200", LineSettings(19200)),
        ("115200N81", LineSettings(115200)),
        ("9600e72", LineSettings(9600, 7, Parity.EVEN, StopBits.TWO)),
        ("speed=1200o81,rtscts", LineSettings(1200, parity=Parity.ODD, rtscts=True)),
        ("9600n81 xonxoff local nobreak", LineSettings(ixon=True, ixoff=True)),
        ("rtscts,rtscts=false", LineSettings()),
        ("2400,EVEN,7DATABITS,2STOPBITS", LineSettings(2400, 7, Parity.EVEN, StopBits.TWO)),
        ("7databits even", LineSettings(9600, 7, Parity.EVEN)),
    ],
)
def test_line_settings(words: str, line: LineSettings) -> None:
    assert port(connector=f"serialdev,/dev/ttyS0,{words}").line == line


def test_signals_that_are_forced() -> None:
    signals = port(connector="serialdev,/dev/ttyS0,9600n81,dtr=off,rts=on").signals
    assert (signals.dtr, signals.rts) == (SignalPolicy.OFF, SignalPolicy.ON)


def test_keepopen_is_what_gatewayd_does_anyway() -> None:
    assert port(connector="keepopen(retry-time=2000),serialdev,/dev/ttyS0").device == "/dev/ttyS0"


def test_kickolduser_is_takeover() -> None:
    assert one("tcp,1", "serialdev,/dev/ttyS0", "  options: {kickolduser: true}").port.takeover
    assert not one("tcp,1", "serialdev,/dev/ttyS0", "  options: {kickolduser: no}").port.takeover


@pytest.mark.parametrize(
    "option",
    [
        "banner: hello",
        "openstr: '*IDN?'",
        "max-connections: 3",
        "trace-both: /tmp/x",
        "chardelay-max: 5",
        "led-tx: led1",
        "mdns: true",
        "connback: tcp,there,1",
        "something-new: 5",
    ],
)
def test_an_option_that_is_lost_is_named_with_its_line(option: str) -> None:
    imported = one("tcp,1", "serialdev,/dev/ttyS0", f"  options:\n    {option}\n")
    (remark,) = imported.remarks
    assert remark.line == 5
    assert remark.text.startswith(option.split(":")[0] + ": ")


@pytest.mark.parametrize("option", ["banner:", "max-connections: 1", "mdns: false", "timeout: 0"])
def test_an_option_that_says_nothing_is_not_named(option: str) -> None:
    assert one("tcp,1", "serialdev,/dev/ttyS0", f"  options:\n    {option}\n").remarks == ()


@pytest.mark.parametrize("word", ["local=false", "hangup-when-done", "rs485=1:1", "new-thing"])
def test_a_setting_of_the_device_that_is_lost_is_named(word: str) -> None:
    (remark,) = one("tcp,1", f"serialdev,/dev/ttyS0,{word}").remarks
    assert remark.line == 3
    assert remark.text.startswith(word.split("=")[0])


def test_a_list_of_clients_becomes_loopback() -> None:
    imported = one("tcp,0.0.0.0,1", "serialdev,/dev/ttyS0", "  options: {remaddr: '10.0.0.1,0'}")
    assert imported.port.raw == (Address("127.0.0.1", 1),)
    assert "loopback" in imported.remarks[0].text


@pytest.mark.parametrize(
    ("accepter", "connector", "reason"),
    [
        ("ssl(CA=/etc/ssl/certs/,clientauth),tcp,1", "serialdev,/dev/ttyS0", "no single file"),
        ("ssl,telnet,tcp,1", "serialdev,/dev/ttyS0", "ssl,telnet"),
        ("telnet,mux,certauth(),ssl,tcp,1", "serialdev,/dev/ttyS0", "a login"),
        ("mux,tcp,1", "serialdev,/dev/ttyS0", "mux"),
        ("udp,1", "serialdev,/dev/ttyS0", "udp"),
        ("tcp,lab.example,1", "serialdev,/dev/ttyS0", "numeric"),
        ("tcp,telnet", "serialdev,/dev/ttyS0", "port number"),
        ("tcp,70000", "serialdev,/dev/ttyS0", "port number"),
        ("tcp,1", "ipmisol,lan 1.2.3.4,9600", "ipmisol"),
        ("tcp,1", "telnet,tcp,there,1", "telnet,tcp"),
        ("tcp,1", "serialdev", "path"),
        ("tcp,1", "serialdev,/dev/lp0,wronly", "printers"),
        ("tcp,1", "serialdev,/dev/ttyS0,speed=fast", "speed"),
        ("tcp,1", "'serialdev(/dev/ttyS0'", "not closed"),
    ],
)
def test_what_is_left_out_has_a_reason(accepter: str, connector: str, reason: str) -> None:
    ports, (remark,) = convert_yaml(accepter, connector)
    assert ports == ()
    assert remark.line == 1
    assert remark.text.startswith("con: left out")
    assert reason in remark.text


def test_two_connections_to_one_device_become_one_port(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/ttyS0")
    text = f"2000:raw:0:/dev/ttyS0:9600\n3000:telnet:0:{link}:19200 remctl\n"
    ((imported,), remarks) = convert(version3.read(text))
    assert remarks == ()
    assert imported.port.raw == (Address("::", 2000),)
    assert imported.port.rfc2217 == (Address("::", 3000),)
    assert imported.port.line == LineSettings(9600)
    (remark,) = imported.remarks
    assert remark.line == 2
    assert "19200 8N1" in remark.text


def test_names_are_made_fit_and_unique() -> None:
    names = ("-a/b", "a-b", "A-b", "é" * 3, "x" * 99)
    lines = [
        f'  "{name}": {{accepter: "tcp,{number}", connector: "serialdev,/dev/tty{number}"}}'
        for number, name in enumerate(names, 1)
    ]
    ports, _ = convert(version4.read("\n".join(["connections:", *lines]), "x"))
    assert [imported.port.name for imported in ports] == [
        "a-b",
        "a-b-2",
        "A-b-3",
        "port",
        "x" * 60,
    ]


@pytest.mark.parametrize(
    ("ssl", "files", "certificate"),
    [
        ("ssl", (CERTIFICATE_FILE, KEY_FILE), ClientCertificate.NONE),
        ("ssl(key=/k.pem)", ("/k.pem", "/k.pem"), ClientCertificate.NONE),
        ("ssl(key=/k,cert=/c,CA=/ca)", ("/c", "/k"), ClientCertificate.NONE),
        ("ssl(key=/k,cert=/c,CA=/ca,clientauth)", ("/c", "/k", "/ca"), ClientCertificate.REQUIRED),
        ('ssl(key="/k",cert="/c",clientauth=false)', ("/c", "/k"), ClientCertificate.NONE),
    ],
)
@pytest.mark.parametrize("telnet", ["", "telnet(rfc2217),"])
def test_tls_keeps_its_keys(
    telnet: str, ssl: str, files: tuple[str, ...], certificate: ClientCertificate
) -> None:
    imported = one(f"'{telnet}{ssl},tcp,2000'", "serialdev,/dev/ttyS0")
    (address,) = imported.port.rfc2217 if telnet else imported.port.raw
    assert imported.remarks == ()
    assert imported.tls == TlsFiles(*files)
    assert address.door == Door(Tls.IMPLICIT, certificate)


def test_a_default_of_ssl_is_in_force() -> None:
    default = "default:\n  name: cert\n  value: /c\n  class: ssl\n"
    text = default + "connection: &a\n  accepter: ssl,tcp,1\n  connector: serialdev,/dev/ttyS0\n"
    ((imported,), remarks) = convert(version4.read(text, "x"))
    assert remarks == ()
    assert imported.tls == TlsFiles("/c", KEY_FILE)


def test_clients_without_a_good_certificate_are_told_of() -> None:
    ssl = "ssl(key=/k,cert=/c,CA=/ca,clientauth,allow-authfail),tcp,1"
    imported = one(ssl, "serialdev,/dev/ttyS0")
    assert imported.port.raw[0].door.client_certificate is ClientCertificate.OPTIONAL
    assert "allow-authfail" in imported.remarks[0].text


def test_a_gateway_has_one_certificate_and_one_ca() -> None:
    accepters = (
        "ssl(key=/k,cert=/c),tcp,1",
        "ssl(key=/k2,cert=/c2,CA=/ca,clientauth),tcp,2",
        "ssl(key=/k,cert=/c,CA=/ca2,clientauth),tcp,3",
    )
    lines = [
        f'  p{number}: {{accepter: "{accepter}", connector: "serialdev,/dev/tty{number}"}}'
        for number, accepter in enumerate(accepters)
    ]
    ports, (left_out,) = convert(version4.read("\n".join(["connections:", *lines]), "x"))
    assert [imported.port.name for imported in ports] == ["p0", "p1"]
    assert left_out.text.startswith("p2: left out, since its clients rest on another CA than /ca")
    assert ports[1].remarks[0].text.startswith("p1: /c is shown")
    text = configuration(ports, (), "x")
    assert "tls: {certificate: /c, key: /k, client_ca: /ca}" in text
    config = parse(text, "x")
    assert config.ports[1].raw[0].door.client_certificate is ClientCertificate.REQUIRED
