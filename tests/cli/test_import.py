"""`gatewayd import` from end to end; what it prints is what `gatewayd check` takes."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from gatewayd.cli import import_
from gatewayd.config.load import parse
from gatewayd.config.schema import Address, Config
from gatewayd.line.model import LineSettings
from tests.ser2net.debian import debian_file

CONF = """\
2000:telnet:600:/dev/ttyS0:9600 8DATABITS NONE 1STOPBIT remctl
127.0.0.1,2001:raw:0:/dev/ttyS1:115200 7DATABITS EVEN RTSCTS kickolduser
2002:off:0:/dev/ttyS2:9600
"""


def run(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser()
    import_.add_arguments(parser)
    status = import_.main(parser.parse_args([str(path)]))
    said = capsys.readouterr()
    return status, said.out, said.err


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ser2net"
    path.write_text(text)
    return path


def judged(text: str) -> Config:
    return parse(text, "imported")


def test_a_configuration_of_version_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, CONF)
    status, out, err = run(path, capsys)
    assert status == 0
    first, second = judged(out).ports
    assert (first.name, first.rfc2217) == ("ttyS0", (Address("::", 2000),))
    assert str(second.line) == "115200 7E1 rtscts"
    assert second.takeover
    assert "# ttyS2:" in out
    assert err.splitlines() == [
        f"{path}:1: timeout: idle clients are not thrown out; for vanished ones see peer_timeout"
    ]
    assert f"# {err.strip()}" in out


def test_the_file_that_debian_installs(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(debian_file("etc/ser2net.yaml"), capsys)
    assert status == 0
    first, second = judged(out).ports
    assert first.device == "/dev/ttyS0"
    assert first.line == LineSettings(9600)
    assert first.raw == (Address("127.0.0.1", 2000), Address("127.0.0.1", 3000))
    assert second.device == "/dev/ttyS1"
    for lost in ("banner", "telnet-brk-on-sync", "19200 8N1"):
        assert lost in err


def test_the_examples_that_debian_documents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them with the comment signs taken off, up to those of version 2."""
    example = debian_file("usr/share/doc/ser2net/examples/ser2net.yaml")
    text = example.read_text().partition("# VERSION 2")[0]
    begun = text.index("# # Just a basic serial port")
    lines = [
        line[2:] if line.startswith("# ") and not line.startswith("# #") else line
        for line in text[begun:].splitlines()
    ]
    path = written(tmp_path, "\n".join(lines))
    status, out, err = run(path, capsys)
    assert status == 0
    assert [port.name for port in judged(out).ports] == ["con00", "con01"]
    assert judged(out).ports[1].rfc2217 == (Address("::", 2013),)
    left_out = ("con2", "ipmicon1", "con3", "con4", "con5", "con6", "rack-3-slot-5", "con7")
    for name in left_out:
        assert f" {name}: left out" in err
    for lost in ("trace-both", "admin", "led", "rotator", "banner", "led-tx"):
        assert f" {lost}: " in err


def test_nothing_served_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(written(tmp_path, "admin: {accepter: 'tcp,1'}\n"), capsys)
    assert status == 1
    assert judged(out).ports == ()
    assert "no port is served there" in err


def test_addresses_that_clash_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "2000:raw:0:/dev/ttyS0:9600\n127.0.0.1,2000:raw:0:/dev/ttyS1:9600\n"
    path = written(tmp_path, text)
    status, out, err = run(path, capsys)
    assert status == 0
    assert [port.name for port in judged(out).ports] == ["ttyS0"]
    assert err == (
        f"{path}:2: ttyS1: left out, since its address is that of ttyS0 on line 1, which keeps it\n"
    )


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none", capsys) == (
        1,
        "",
        f"{tmp_path}/none: No such file or directory\n",
    )


def test_a_file_that_is_no_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(written(tmp_path, "a: [\n"), capsys)
    assert (status, out) == (1, "")
    assert err.startswith(f"{tmp_path}/ser2net:2: ")


def test_a_file_name_cannot_break_out_of_its_comment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a\nports: {}\n"
    path.write_text(CONF)
    status, out, _ = run(path, capsys)
    assert status == 0
    assert len(judged(out).ports) == 2
