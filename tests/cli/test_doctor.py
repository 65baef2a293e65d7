"""`gatewayd doctor` from end to end on machines on paper."""

from __future__ import annotations

import argparse
import os
import pwd
from pathlib import Path

import pytest

from gatewayd.cli import doctor
from gatewayd.errors import GatewayError
from tests.device.machine import Machine

HEALTHY = "version: 1\nports:\n  psu1: {device: {serial: A1}, rfc2217: 7001}\n"


def run(root: Path, capsys: pytest.CaptureFixture[str], config: str | None) -> tuple[int, str]:
    path = root / "gatewayd.yaml"
    if config is not None:
        path.write_text(config)
        path.chmod(0o644)
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    me = pwd.getpwuid(os.getuid()).pw_name
    args = parser.parse_args(["--root", str(root), "-c", str(path), "--user", me])
    status = doctor.main(args)
    return status, capsys.readouterr().out


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    """A machine on which nothing is wrong."""
    Machine(tmp_path).usb_serial("ttyUSB0", serial="A1")
    rules = tmp_path / "etc/udev/rules.d/61-gatewayd.rules"
    rules.parent.mkdir(parents=True)
    rules.touch()
    return tmp_path


def test_a_healthy_machine(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(healthy, capsys, HEALTHY)
    assert status == 0
    assert "wrong:  " not in said
    assert "serial devices: 1, wrong: 0" in said


def test_each_finding_has_its_remedy_below(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = run(
        healthy, capsys, HEALTHY.replace("7001", "{listen: 0.0.0.0:7001, clear_text: true}")
    )
    assert status == 1
    lines = said.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("wrong:"))
    assert "psu1: rfc2217 at 0.0.0.0:7001" in lines[at]
    assert lines[at + 1].startswith("        write 127.0.0.1:7001")


def test_a_configuration_with_problems(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(healthy, capsys, "version: 2\n")
    assert status == 1
    assert "gatewayd check" in said


def test_no_configuration_is_advice(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(healthy, capsys, None)
    assert status == 0
    assert "advice: there is no" in said


def test_a_console_is_wrong_only_as_a_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Machine(tmp_path).uart("ttyS0", 4)
    assert run(tmp_path, capsys, None)[0] == 0
    config = f"version: 1\nports:\n  board: {{device: {node}, raw: 7101}}\n"
    status, said = run(tmp_path, capsys, config)
    assert status == 1
    assert "console=ttyS0" in said


def test_a_user_that_is_not_there(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    with pytest.raises(GatewayError, match="no user"):
        doctor.main(parser.parse_args(["--user", "nobody-has-this-name", "--root", str(tmp_path)]))
