"""The command line as a whole."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatewayd import __version__
from gatewayd.cli.catalogue import COMMANDS, command_module
from gatewayd.cli.main import main
from gatewayd.cli.parser import build_parser
from tests.cli.program import ROOT, gatewayd
from tests.until import PATIENCE


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_module(name: str) -> None:
    module = command_module(name)
    assert COMMANDS[name] == module.HELP
    module.add_arguments(argparse.ArgumentParser())


def test_the_version() -> None:
    done = gatewayd("--version")
    assert (done.returncode, done.stdout) == (0, f"gatewayd {__version__}\n")


def test_help_names_all_commands() -> None:
    done = gatewayd("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"    {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name: str) -> None:
    done = gatewayd(name, "--help")
    assert done.returncode == 0
    assert f"usage: gatewayd {name}" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_nothing_heavy_is_imported_to_tell_about_itself(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gatewayd", option],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"asyncio", "yaml", "serial", "gatewayd.config.load"}


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["serve"], ["check", "a", "b"], ["run", "x"]])
def test_wrong_usage(arguments: list[str]) -> None:
    done = gatewayd(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: gatewayd")


def test_verbose_stands_before_or_behind_the_command() -> None:
    parse = build_parser().parse_args
    assert parse(["check"]).verbose is False
    assert parse(["-v", "check"]).verbose is True
    assert parse(["check", "--verbose"]).verbose is True


def test_errors_of_the_operator_have_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-c", "/nonexistent/gatewayd.yaml"]) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("/nonexistent/gatewayd.yaml: cannot be read (No such file")


def test_a_reader_that_goes_away_is_no_error_of_ours() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gatewayd", "check", "etc/gatewayd.yaml"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=PATIENCE)
    assert err == b""
    assert process.returncode == 1


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_what_a_terminal_cannot_show_is_no_reason_to_fail(encoding: str, tmp_path: Path) -> None:
    config = tmp_path / "gatewayd.yaml"
    config.write_text('version: 1\nports: {"µ": {}}\n')
    done = subprocess.run(
        [sys.executable, "-m", "gatewayd", "check", str(config)],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    shown = "µ".encode(encoding, "backslashreplace")
    assert b"ports." + shown + b": device is missing" in done.stdout
