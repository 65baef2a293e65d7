"""Files: from bytes to a configuration, or to all that is wrong with them."""

from __future__ import annotations

import contextlib
import math
import os
import socket
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.config import load as load_module
from gatewayd.config.load import LARGEST_FILE, load, parse
from gatewayd.config.problem import ConfigError, Problem
from gatewayd.config.schema import (
    Address,
    BetweenSessions,
    Config,
    OnUnplug,
    PortConfig,
    WhileAbsent,
)
from gatewayd.device.match import DeviceMatch
from gatewayd.line.model import LineSettings, Parity, SignalPolicies, SignalPolicy, StopBits
from tests.config.files import FULL


@pytest.fixture(params=["libyaml", "python"], autouse=True, scope="module")
def loader(request: pytest.FixtureRequest) -> object:
    """Both of PyYAML's parsers; the one in C may be missing on a machine."""
    if request.param == "libyaml" and not yaml.__with_libyaml__:
        pytest.skip("PyYAML is without libyaml here")
    with pytest.MonkeyPatch.context() as patch:
        name = {"libyaml": "CSafeLoader", "python": "SafeLoader"}[request.param]
        patch.setattr(load_module, "LOADER", getattr(yaml, name))
        yield name


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f")
    return [str(problem) for problem in caught.value.problems]


def in_port(*lines: str) -> list[str]:
    """What is wrong with a port that has these lines beside its device."""
    head = "version: 1\nports:\n  a:\n    device: /dev/none\n"
    return problems(head + "".join(f"    {line}\n" for line in lines))


def test_everything() -> None:
    assert parse(FULL, "f") == Config(
        (
            PortConfig(
                name="psu1",
                description="bench supply, rack 2",
                device="/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0",
                rfc2217=(Address("127.0.0.1", 7001),),
                raw=(Address("127.0.0.1", 7101),),
            ),
            PortConfig(
                name="Scope_2.a",
                device=DeviceMatch(serial="00123", interface=1),
                line=LineSettings(12345, 7, Parity.EVEN, StopBits.TWO, ixon=True, ixoff=True),
                rfc2217=(Address("::1", 7002), Address("0.0.0.0", 7002)),
                lenient=True,
                takeover=True,
                signals=SignalPolicies(SignalPolicy.OFF, SignalPolicy.ON),
                peer_timeout=120.0,
                between_sessions=BetweenSessions.KEEP,
                on_unplug=OnUnplug(30.0),
                while_absent=WhileAbsent.REFUSE,
                trust_path=True,
            ),
        ),
        control="/run/user/1000/gatewayd",
    )


def test_what_is_left_out() -> None:
    config = parse("version: 1\nports: {a: {device: /dev/none, raw: 1}}\n", "f")
    (port,) = config.ports
    assert port == PortConfig(name="a", device="/dev/none", raw=(Address("127.0.0.1", 1),))
    assert port.where == ("f", 2)
    assert math.isinf(port.on_unplug.hold)
    assert config.control == "/run/gatewayd/control"
    assert parse("version: 1\nports:\ncontrol: none", "f") == Config(control=None)


def test_every_problem_at_once_with_its_place() -> None:
    text = """\
version: 1
ports:
  psu1:
    device: /dev/none
    line: {baudrate: 0644, parity: no, bitsize: 8}
    rfc2217: 12:30
    raw: [7101, {listen: 0.0.0.0:7101}]
    raw: 1
  psu 2:
    device: /dev/none
    raw: 7101
    takover: true
  x:
    lenient: yes
contrl: x
"""
    assert [one.split(";")[0] for one in problems(text)] == [
        "f:5:22: ports.psu1.line.baudrate: '0644' begins with 0",
        "f:5:36: ports.psu1.line.parity: found 'no'",
        "f:5:40: ports.psu1.line: unknown key 'bitsize'",
        "f:6:14: ports.psu1.rfc2217: '12' is no numeric address",
        "f:7:17: ports.psu1.raw: 0.0.0.0:7101 cannot be beside 127.0.0.1:7101, the raw of this "
        "port on line 7",
        "f:8:5: ports.psu1: duplicate key 'raw', first on line 7",
        "f:9:3: ports: 'psu 2' cannot name a port",
        "f:10:13: ports.psu 2.device: /dev/none is the device of psu1 on line 4 already",
        "f:11:10: ports.psu 2.raw: 127.0.0.1:7101 cannot be beside 127.0.0.1:7101, the raw of "
        "psu1 on line 7",
        "f:12:5: ports.psu 2: unknown key 'takover'",
        "f:13:3: ports.x: device is missing",
        "f:13:3: ports.x: no address to serve it at",
        "f:14:14: ports.x.lenient: found 'yes'",
        "f:15:1: unknown key 'contrl'",
        "f:15:9: control: found 'x'",
    ]


def test_what_is_there_twice_or_misspelt_is_judged_as_well() -> None:
    text = """\
version: 1
ports:
  a:
    devise: ttyS0
    line: 9600
    line: {baudrat: fast}
    raw: 7001
    takover: yes
  a:
    device: /dev/none
    raw: 70001
    raw: 0
"""
    assert [one.split(";")[0] for one in problems(text)] == [
        "f:4:5: ports.a: unknown key 'devise'",
        "f:4:13: ports.a.device: 'ttyS0' is not an absolute path",
        "f:5:11: ports.a.line: found '9600'",
        "f:6:5: ports.a: duplicate key 'line', first on line 5",
        "f:6:12: ports.a.line: unknown key 'baudrat'",
        "f:6:21: ports.a.line.baudrate: found 'fast'",
        "f:8:5: ports.a: unknown key 'takover'",
        "f:8:14: ports.a.takeover: found 'yes'",
        "f:9:3: ports: duplicate key 'a', first on line 3",
        "f:11:10: ports.a.raw: '70001' is no TCP port",
        "f:12:5: ports.a: duplicate key 'raw', first on line 11",
        "f:12:10: ports.a.raw: '0' is no TCP port",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("line: {parity: no}", "found 'no'; write none, odd, even, mark or space"),
        ("line: {parity: off}", "found 'off'; write none"),
        ("line: {baudrate: 2:40}", "found '2:40'; write a whole number"),
        ("line: {baudrate: 9_600}", "found '9_600'; write a whole number"),
        ("line: {stopbits: 1.5}", "1.5 stop bits go with 5 data bits only"),
        ("line: {dsrdtr: true}", "Linux has no DSR/DTR flow control"),
        ("line: 9600", "write BAUDRATE 8N1"),
        ("rfc2217: 12:30", "no numeric address"),
        ("rfc2217: 0", "1 to 65535"),
        ("rfc2217: []", "empty list"),
        ("rfc2217: [[7001]]", "found a list"),
        ("takeover: on", "found 'on'; write true or false"),
        ("signals: {dtr: true}", "write on, off, keep, client or session"),
        ("signals: off", "write a mapping"),
        ("peer_timeout: 1", "write 5s to 86400s"),
        ("device: /dev/x", "duplicate key 'device', first on line 4"),
        ("description: [x]", "found a list; write TEXT"),
    ],
)
def test_one_wrong_line(line: str, said: str) -> None:
    found = in_port(line) if line.startswith("rfc2217") else in_port("rfc2217: 7001", line)
    assert len(found) == 1
    number = 5 if line.startswith("rfc2217") else 6
    assert found[0].startswith(f"f:{number}:")
    assert said in found[0]


def test_words_that_yaml_1_1_would_change_are_themselves() -> None:
    text = "{device: {serial: 0123, vid: 0403}, raw: 1, signals: {dtr: off}, description: 1:30}"
    (port,) = parse(f"version: 1\nports: {{no: {text}}}", "f").ports
    assert port.name == "no"
    assert port.device == DeviceMatch(serial="0123", vid="0403")
    assert port.description == "1:30"
    assert port.signals.dtr is SignalPolicy.OFF


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f:1:1: the file is empty; begin with version: 1"),
        ("# nothing\n", "f:1:1: the file is empty; begin with version: 1"),
        ("ports: {}", "f:1:1: version is missing; write version: 1"),
        ("version: 2\nports: {}", "f:1:10: version: found '2', and this gatewayd knows 1; write 1"),
        ("- version: 1", "f:1:1: found a list; write a mapping, as in version: 1"),
        ("version: 1\nports: []", "f:2:8: ports: found a list"),
        ("version: 1\nports:\n  a:", "f:3:5: ports.a: found no value; write a mapping, as in dev"),
        ("version: 1\nports:\n\ta:", "there is a tab before it"),
        ("version: 1\nports:\n  a: b: c", "f:3:7: not YAML: mapping values are not allowed"),
        ("version: 1\nports:\n  a: {raw: [::1]:1}", "put an IPv6 address in quotes"),
        ("version: 1\nports: 'a", "not YAML"),
        ("version: 1\nports: {}\n---\nversion: 1", "f:4:1: a second document"),
        ("version: 1\nports: !x {}", "f:2:8: the tag '!x' means nothing here"),
        ("version: !!python/name:os.system 1", "f:1:10: the tag 'tag:yaml.org"),
        ("version: 1\nports: {}\n<<: {}", "f:3:1: merge keys are not supported"),
        ("version: *v", "f:1:10: unknown alias *v"),
        ("version: 1\nports: &p {a: *p}", "f:2:15: unknown alias *p"),
        ("version: 1\nports: " + "[" * 100_000, "nested more than 20 deep"),
        ("version: 1\nports: {}\na: b\x00", "f:3:5: the character U+0000 cannot be"),
        ("version: 1\nports: {}\nä: \x85", "unknown key 'ä'"),
        ('version: 1\nports: {}\na: "\\U00110000"', "not YAML"),
        ("%YAML 1." + "9" * 5000 + "\n---\nversion: 1", "not YAML"),
        ("x" * (LARGEST_FILE + 1), "f: larger than 1048576 bytes"),
    ],
)
def test_not_a_configuration(text: str, said: str) -> None:
    assert any(said in problem for problem in problems(text))


def test_bytes() -> None:
    assert parse(b"\xef\xbb\xbf" + FULL.encode(), "f") == parse(FULL, "f")
    assert parse(FULL.replace("\n", "\r\n").encode(), "f") == parse(FULL, "f")
    assert problems(b"version: 1\na\xc3\xa4b\xff") == [
        "f:2:4: byte 0xff is not UTF-8; save the file as UTF-8"
    ]
    assert "0xff is not UTF-8" in problems("version: 1".encode("utf-16"))[0]


def test_no_control_character_of_a_file_reaches_the_terminal() -> None:
    port = "{device: /dev/none, raw: 1, 'x\\e': 1}"
    text = f'version: 1\nports: {{"a\\e[2J": {port}, "b\\e": {port}}}'.replace("'", '"')
    found = problems(text)
    assert len(found) == 6
    assert all(one.isprintable() for one in found)


def test_anchors_and_aliases_work() -> None:
    text = (
        "a: {device: /dev/none, line: &l 1200 7E1, raw: 1}, b: {device: /dev/x, line: *l, raw: 2}"
    )
    one, two = parse(f"version: 1\nports: {{{text}}}", "f").ports
    assert one.line == two.line == LineSettings(1200, 7, Parity.EVEN)


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for before, letter in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{letter}: &{letter} [" + ",".join([f"*{before}"] * 10) + "]")
    (told,) = problems("\n".join(lines))
    assert "more than 100000 values" in told


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "gatewayd.yaml"
    path.write_text(FULL)
    assert load(str(path)) == parse(FULL, "f")
    assert load(str(path)).ports[0].where == (str(path), 4)
    for name, cause in ((tmp_path / "absent", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as caught:
            load(str(name))
        assert str(caught.value).startswith(f"{name}: cannot be read ({cause}")
    with pytest.raises(ConfigError, match="cannot be read"):
        load("a\0b")
    path.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(ConfigError, match="larger than"):
        load(str(path))


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as sock, contextlib.ExitStack() as stack:
        sock.bind(str(tmp_path / "socket"))
        master, slave = os.openpty()
        stack.callback(os.close, master)
        stack.callback(os.close, slave)
        for path, noun in (
            (tmp_path / "fifo", "a FIFO"),
            (tmp_path / "socket", "a socket"),
            (os.ttyname(slave), "a device"),
            ("/dev/zero", "a device"),
        ):
            with pytest.raises(ConfigError) as caught:
                load(str(path))
            assert str(caught.value) == f"{path}: is {noun}; name a regular file"


def test_a_fifo_that_came_in_the_meantime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    regular = os.stat(__file__)
    monkeypatch.setattr(os, "stat", lambda path: regular)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigError, match="is a FIFO"):
        load(str(tmp_path / "fifo"))


def test_ninety_thousand_mistakes_are_a_hundred_lines() -> None:
    told = problems("version: 1\nports: {}\n" + "".join(f"k{n}: 1\n" for n in range(40_000)))
    assert len(told) == 101
    assert told[99].startswith("f:102:1: unknown key 'k99'")
    assert told[100] == "f:103:1: 39900 more problems from here on; mend those before it first"
    assert len(problems("version: 1\nports: {}\n" + "x1: 1\n" * 102)) == 101


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nports: [" + ":" * 1_000_000,
        "version: 1\nports: " + "[:" * 100_000 + ": a: b",
        "version: *" + "v" * 1_000_000,
        "version: 1\nports: {}\n" + "k" * 1_000_000 + ": 1",
        "version: 1\nports: {a: {device: /dev/x, raw: 1, line: '9600" + " " * 500_000 + "8'}}",
        "version: 1\nports: {a: {device: /dev/x, raw: [" + "1, " * 90_000 + "1]}}",
    ],
    ids=["colons", "brackets", "alias", "key", "spaces", "addresses"],
)
def test_what_was_made_to_take_long_is_told_shortly(text: str) -> None:
    """A search that is quadratic in one of these takes minutes: the limit of a test ends it."""
    told = problems(text)
    assert len(told) <= 101
    assert max(map(len, told)) < 600


WORDS = st.sampled_from(
    [
        *(
            "version",
            "ports",
            "device",
            "line",
            "rfc2217",
            "raw",
            "signals",
            "dtr",
            "serial",
            "vid",
        ),
        *("/dev/x", "9600 8N1", "7001", "[::1]:7001", "0403", "no", "on", "12:30", "~", "true"),
        *(": ", "- ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", "'", '"', "#", "&a ", "*a"),
        *("!!str ", "!x ", "<<", "|\n", ">\n", "? ", "%YAML 1.1\n", "---\n", "\t", "\\", "\0"),
    ]
)
EDITS = st.lists(st.tuples(st.integers(0, len(FULL)), st.integers(0, 9), WORDS), max_size=4)


def refused_or_not(text: str | bytes) -> None:
    """Judging `text` ends, and what is said about it is one line each, in the file."""
    told = _told(text)
    assert told is None or told
    for problem in told or ():
        assert str(problem).isprintable()
        assert problem.place.file == "f"
        assert 0 <= problem.place.line <= 1 + len(text)


def _told(text: str | bytes) -> tuple[Problem, ...] | None:
    """What is wrong with `text`; None when it is right."""
    try:
        parse(text, "f")
    except ConfigError as error:
        return error.problems
    return None


@given(st.text())
def test_any_text(text: str) -> None:
    refused_or_not(text)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    refused_or_not(data)


@given(st.lists(WORDS, max_size=30).map("".join))
def test_any_text_of_our_words(text: str) -> None:
    refused_or_not(text)


@given(EDITS)
def test_a_good_file_with_some_damage(edits: list[tuple[int, int, str]]) -> None:
    text = FULL
    for start, length, word in edits:
        text = text[:start] + word + text[start + length :]
    refused_or_not(text)
