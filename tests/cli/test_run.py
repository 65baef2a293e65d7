"""`gatewayd run`, as a process."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gatewayd.demo.instrument import IDENTITY, Instrument
from gatewayd.demo.terminal import InstrumentTerminal
from tests.cli.instrument import answering
from tests.cli.program import Program, ask, gatewayd
from tests.ports import free_ports


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_told_to_stop(tmp_path: Path, stop: signal.Signals) -> None:
    (port,) = free_ports(1)
    path = tmp_path / "gatewayd.yaml"
    with InstrumentTerminal(Instrument()) as terminal, answering(terminal):
        path.write_text(
            f"version: 1\ncontrol: none\nports: {{a: {{device: {terminal.path}, raw: {port}}}}}\n"
        )
        with Program("run", "-c", str(path), stop=stop) as program:
            program.wait_for(rf"a: {terminal.path} open, 9600 8N1")
            assert ask(port, b"*IDN?\n") == IDENTITY.encode() + b"\n"


def test_it_refuses_what_check_refuses(tmp_path: Path) -> None:
    path = tmp_path / "gatewayd.yaml"
    path.write_text("version: 1\nports: {a: {device: x}}\n")
    run, check = gatewayd("run", "-c", str(path)), gatewayd("check", str(path))
    assert (run.returncode, check.returncode) == (78, 1)
    assert run.stderr == check.stdout
    assert run.stderr.count("\n") == 2
    assert run.stdout == check.stderr == ""
