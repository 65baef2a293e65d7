"""`gatewayd serve`: the options, and a process started by another program."""

from __future__ import annotations

import argparse
import socket

import pytest

from gatewayd.cli import serve
from gatewayd.config.problem import ConfigError
from gatewayd.config.schema import Address, PortConfig
from gatewayd.demo.instrument import IDENTITY, Instrument
from gatewayd.demo.terminal import InstrumentTerminal
from gatewayd.line.model import LineSettings, Parity, SignalPolicies, SignalPolicy
from tests.cli.instrument import answering
from tests.cli.program import Program, ask, gatewayd


def port(*arguments: str) -> PortConfig:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    return serve.port_of(parser.parse_args(arguments))


def problems(*arguments: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        port(*arguments)
    return [str(problem) for problem in caught.value.problems]


def test_the_least() -> None:
    assert port("--device", "/dev/ttyUSB0", "--raw", "7101") == PortConfig(
        name="ttyUSB0", device="/dev/ttyUSB0", raw=(Address("127.0.0.1", 7101),)
    )


def test_everything() -> None:
    wanted = PortConfig(
        name="psu1",
        device="/dev/ttyS0",
        line=LineSettings(1200, 7, Parity.EVEN, rtscts=True),
        rfc2217=(Address("127.0.0.1", 0), Address("::1", 7001)),
        raw=(Address("0.0.0.0", 0),),
        lenient=True,
        takeover=True,
        signals=SignalPolicies(SignalPolicy.OFF, SignalPolicy.KEEP),
    )
    assert wanted == port(
        *("--device", "/dev/ttyS0", "--name", "psu1", "--line", "1200 7E1 rtscts"),
        *("--rfc2217", "0", "--rfc2217", "[::1]:7001", "--raw", "0.0.0.0:0"),
        *("--lenient", "--takeover", "--clear-text", "--dtr", "off", "--rts", "keep"),
    )


def test_a_relative_path_is_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/dev")
    assert port("--device", "./ttyS0", "--raw", "1").device == "/dev/ttyS0"


@pytest.mark.parametrize(
    ("device", "name"), [("/tmp/a b", "a-b"), ("/tmp/-x", "device"), ("/x/" + "y" * 99, "y" * 64)]
)
def test_a_name_from_the_device(device: str, name: str) -> None:
    assert port("--device", device, "--raw", "1").name == name


def test_all_that_is_wrong_is_told() -> None:
    found = problems(
        *("--device", "loop://", "--line", "fast", "--name", "a b"),
        *("--rfc2217", "pi:1", "--rfc2217", "7001", "--raw", "127.0.0.1:7001"),
    )
    starts = [
        "--device: 'loop://' is a URL",
        "--line: found 'fast'; write BAUDRATE 8N1",
        "--name: 'a b' cannot name a port",
        "--raw: 127.0.0.1:7001 cannot be beside 127.0.0.1:7001, which --rfc2217 has",
        "--rfc2217: 'pi' is no numeric address",
    ]
    assert len(found) == len(starts)
    for problem, start in zip(found, starts, strict=True):
        assert problem.startswith(start)


def test_an_address_is_needed() -> None:
    (problem,) = problems("--device", "/dev/ttyS0")
    assert problem.startswith("gatewayd serve: no address to serve it at; add --rfc2217 7001")


def test_wrong_options_end_like_a_wrong_file() -> None:
    done = gatewayd("serve", "--device", "/dev/none", "--raw", "pi:1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("--raw: 'pi' is no numeric address; ")


def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = gatewayd("serve", "--device", "/dev/none", "--raw", address)
    assert done.returncode == 1
    assert f"cannot listen on {address}: the address is in use" in done.stderr


def test_a_program_learns_the_ports_from_the_log() -> None:
    with InstrumentTerminal(Instrument()) as terminal, answering(terminal):
        arguments = ("--device", terminal.path, "--rfc2217", "0", "--raw", "0", "--name", "psu1")
        with Program("serve", *arguments) as program:
            assert program.wait_for(r"psu1: rfc2217 on 127\.0\.0\.1:(\d+)")[1] != "0"
            program.wait_for("psu1: .* open, 9600 8N1")
            number = int(program.wait_for(r"psu1: raw on 127\.0\.0\.1:(\d+)")[1])
            assert ask(number, b"*IDN?\n") == IDENTITY.encode() + b"\n"
