"""How addresses, lines, devices and times are written."""

from __future__ import annotations

import ipaddress
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.config.problem import Place
from gatewayd.config.schema import Address, OnUnplug
from gatewayd.config.tree import Scalar
from gatewayd.config.values import (
    ControlPath,
    DevicePath,
    EscapeKind,
    HexId,
    NoDsrDtr,
    OnUnplugKind,
    Version,
    parse_address,
    parse_line,
    parse_seconds,
)
from gatewayd.line.model import LineSettings, Parity, StopBits


def scalar(text: str, *, plain: bool = True) -> Scalar:
    return Scalar(Place("test", 1, 1), text, plain)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("7001", "127.0.0.1", 7001),
        ("0.0.0.0:1", "0.0.0.0", 1),
        ("localhost:65535", "127.0.0.1", 65535),
        ("[::1]:7001", "::1", 7001),
        ("[::]:7001", "::", 7001),
        ("[0:0:0:0:0:0:0:1]:7001", "::1", 7001),
        ("[fe80::1%eth0]:7001", "fe80::1%eth0", 7001),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = parse_address(text)
    assert address == Address(host, port)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no port"),
        ("127.0.0.1", "has no port"),
        ("12:30", "no numeric address"),
        ("pi.local:7001", "not looked up"),
        (":7001", "no numeric address"),
        ("127.1:7001", "no numeric address"),
        ("*:7001", "0.0.0.0"),
        ("::1:7001", "[::1]:PORT"),
        ("[127.0.0.1]:7001", "write 127.0.0.1:PORT"),
        ("[::ffff:127.0.0.1]:7001", "write 127.0.0.1:PORT"),
        ("[fe80::1]:7001", "write its interface"),
        ("224.0.0.1:7001", "multicast"),
        ("0", "1 to 65535"),
        ("65536", "1 to 65535"),
        ("07001", "1 to 65535"),
        ("7_001", "has no port"),
        ("-1", "has no port"),
        ("127.0.0.1:", "1 to 65535"),
        ("127.0.0.1:telnet", "1 to 65535"),
        ("\u0667001", "has no port"),
        ("127.0.0.1:\u0667001", "1 to 65535"),
    ],
)
def test_wrong_addresses_say_what_would_do(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_address(text)


def test_any_port_is_for_the_command_line_only() -> None:
    assert parse_address("[::1]:0", any_port=True) == Address("::1", 0)
    with pytest.raises(ValueError, match="0 to 65535"):
        parse_address("99999", any_port=True)


@given(st.one_of(st.ip_addresses(), st.just(ipaddress.ip_address("::"))), st.integers(1, 65535))
def test_what_an_address_prints_is_read_again(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    address = Address(str(host), port)
    try:
        parsed = parse_address(str(address))
    except ValueError as error:
        special = ("multicast", "disguise", "every link")
        assert any(word in str(error) for word in special)  # noqa: PT017 - either way is right
    else:
        assert parsed == address


@given(st.text())
def test_no_text_makes_the_parsers_raise_anything_else(text: str) -> None:
    for parse in (parse_address, parse_line, lambda text: parse_seconds(text, 0, 10)):
        try:
            parse(text)
        except ValueError as error:
            assert str(error).isprintable()  # noqa: PT017 - most texts are refused


def test_lines() -> None:
    assert parse_line("9600 8N1") == LineSettings()
    wanted = LineSettings(19200, 7, Parity.EVEN, StopBits.TWO, rtscts=True)
    assert parse_line("19200 7e2 RTSCTS") == wanted
    assert parse_line(" 300  5N1.5 ") == LineSettings(300, 5, stopbits=StopBits.ONE_POINT_FIVE)
    both = LineSettings(ixon=True, ixoff=True, rtscts=True)
    assert parse_line("9600 8N1 xonxoff rtscts") == both


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write BAUDRATE 8N1"),
        ("9600", "write BAUDRATE 8N1"),
        ("9600,8N1", "write BAUDRATE 8N1"),
        ("9600 9N1", "write BAUDRATE 8N1"),
        ("9600 8X1", "write BAUDRATE 8N1"),
        ("9600 8N1 dsrdtr", "write BAUDRATE 8N1"),
        ("9600 8N1 rtscts rtscts", "twice"),
        ("0 8N1", "out of range"),
        ("0644 8N1", "out of range"),
        ("50000001 8N1", "out of range"),
        ("9600 8N1.5", "5 data bits only"),
    ],
)
def test_wrong_lines_say_what_would_do(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_line(text)


@given(
    st.builds(
        LineSettings,
        baudrate=st.integers(1, 50_000_000),
        bytesize=st.integers(5, 8),
        parity=st.sampled_from(Parity),
        stopbits=st.sampled_from([StopBits.ONE, StopBits.TWO]),
        ixon=st.just(False),
        ixoff=st.just(False),
        rtscts=st.booleans(),
    ),
    st.booleans(),
)
def test_what_a_line_prints_is_read_again(line: LineSettings, xonxoff: bool) -> None:
    text = f"{line} xonxoff" if xonxoff else str(line)
    parsed = parse_line(text)
    assert str(parsed) == text
    assert (parsed.ixon, parsed.ixoff) == (xonxoff, xonxoff)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("30s", 30.0), ("0.5 s", 0.5), ("2min", 120.0), ("1h", 3600)],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_seconds(text, 0, 3600) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1", "1e3", "inf", "nan", "30 seconds", "61min", "1d"])
def test_wrong_times(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|out of range"):
        parse_seconds(text, 0, 3600)


@pytest.mark.parametrize(
    ("text", "hold"), [("hold", math.inf), ("close", 0.0), ("hold for 30s", 30.0)]
)
def test_on_unplug(text: str, hold: float) -> None:
    policy = OnUnplugKind().parse(scalar(text))
    assert policy == OnUnplug(hold)
    assert str(policy) == text


@pytest.mark.parametrize("text", ["hold for ever", "hold for 0", "hold 30s", "", "closed"])
def test_wrong_on_unplug(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        OnUnplugKind().parse(scalar(text))


def test_device_paths() -> None:
    assert DevicePath().parse(scalar("/dev/ttyS0")) == "/dev/ttyS0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ttyUSB0", "write /dev/ttyUSB0"),
        ("COM3", "absolute path"),
        ("rfc2217://h:1", "is a URL"),
        ("loop://", "is a URL"),
        ("/dev/ptmx", "is no serial device"),
        ("/dev/tty\x1b[2J", "cannot be the path"),
        ("/" + "x" * 5000, "cannot be the path"),
    ],
)
def test_wrong_device_paths(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        DevicePath().parse(scalar(text))
    assert str(caught.value).isprintable()


def test_usb_ids_are_text_of_four_digits() -> None:
    assert HexId().parse(scalar("0403")) == "0403"
    assert HexId().parse(scalar("0x04D8")) == "04d8"
    for text in ("403", "04g3", "00403"):
        with pytest.raises(ValueError, match="four hexadecimal digits"):
            HexId().parse(scalar(text))


def test_the_control_socket() -> None:
    assert ControlPath().parse(scalar("/run/x")) == "/run/x"
    assert ControlPath().parse(scalar("none")) is None
    for text in ("x", "./x", "/" + "x" * 107):
        with pytest.raises(ValueError, match="write"):
            ControlPath().parse(scalar(text))


def test_dsrdtr_is_refused_with_the_reason() -> None:
    assert NoDsrDtr().parse(scalar("false")) is False
    with pytest.raises(ValueError, match="Linux has no DSR/DTR flow control"):
        NoDsrDtr().parse(scalar("true"))
    for text in ("no", "yes", "0"):
        with pytest.raises(ValueError, match="write false"):
            NoDsrDtr().parse(scalar(text))


def test_the_version() -> None:
    assert Version().parse(scalar("1")) == 1
    for wrong in (scalar("2"), scalar("1.0"), scalar("1", plain=False)):
        with pytest.raises(ValueError, match="write 1"):
            Version().parse(wrong)


@pytest.mark.parametrize(
    ("text", "keys"),
    [("^Ec", b"\x05c"), ("^]", b"\x1d"), ("^Ax", b"\x01x"), ("none", b""), ("^\\~", b"\x1c~")],
)
def test_the_keys_of_the_desk(text: str, keys: bytes) -> None:
    assert EscapeKind().parse(scalar(text)) == keys


@pytest.mark.parametrize("text", ["", "E", "^e", "^", "^Ecc", "^1", "^M", "^J", "^E\n", "^ c"])
def test_what_cannot_be_keys_of_the_desk(text: str) -> None:
    with pytest.raises(ValueError, match="control key"):
        EscapeKind().parse(scalar(text))
