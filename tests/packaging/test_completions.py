"""The completion files, in the shells that they are for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gatewayd.cli.catalogue import COMMANDS
from tests.cli.help import offered

ROOT = Path(__file__).resolve().parents[2]

PRESS_TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_gatewayd
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with both files."""
    directory = tmp_path_factory.mktemp("completions")
    script = ROOT / "packaging" / "completions.py"
    subprocess.run([sys.executable, script, directory], check=True, timeout=30)
    return directory


def press_tab(made: Path, directory: Path, *words: str) -> list[str]:
    """What bash offers after `words`, the last of which may be unfinished."""
    said = subprocess.run(
        ["bash", "-c", PRESS_TAB, "bash", made / "gatewayd", "gatewayd", *words],
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert said.stderr == ""
    return said.stdout.split()


def test_bash_offers_the_commands(made: Path, tmp_path: Path) -> None:
    assert set(COMMANDS) | {"--version", "--help"} <= set(press_tab(made, tmp_path, ""))
    assert press_tab(made, tmp_path, "che") == ["check"]


@pytest.mark.parametrize("name", COMMANDS)
def test_bash_offers_the_options_of_the_command(name: str, made: Path, tmp_path: Path) -> None:
    options, _ = offered(name)
    offers = set(press_tab(made, tmp_path, name, "--")) - {"--help"}
    assert offers == {option for option in options if option.startswith("--")}


def test_bash_completes_an_option(made: Path, tmp_path: Path) -> None:
    assert press_tab(made, tmp_path, "run", "--c") == ["--config"]


def test_bash_offers_the_values_of_an_option(made: Path, tmp_path: Path) -> None:
    assert press_tab(made, tmp_path, "serve", "--dtr", "o") == ["on", "off"]


def test_bash_offers_the_values_of_an_argument(made: Path, tmp_path: Path) -> None:
    assert press_tab(made, tmp_path, "export", "s") == ["ser2net"]


@pytest.mark.parametrize("words", [["check", "g"], ["run", "-c", "g"], ["-v", "check", "g"]])
def test_bash_offers_files_where_one_belongs(made: Path, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "gatewayd.yaml").touch()
    assert press_tab(made, tmp_path, *words) == ["gatewayd.yaml"]
    assert press_tab(made, tmp_path, "devices", "g") == []


def test_zsh_can_read_its_file(made: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    subprocess.run(["zsh", "-n", made / "_gatewayd"], check=True, timeout=30)


def test_zsh_is_told_of_every_command(made: Path) -> None:
    text = (made / "_gatewayd").read_text()
    assert text.startswith("#compdef gatewayd\n")
    for command in COMMANDS:
        assert f'{command}\\:"' in text
        assert f"        {command}) _arguments " in text
