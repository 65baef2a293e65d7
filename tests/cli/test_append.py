"""A port is added to a file that somebody wrote, or the file stays as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gatewayd.cli.append import AppendError, append, read_config
from gatewayd.cli.entry import Entry
from gatewayd.config.load import load
from gatewayd.config.problem import ConfigError
from gatewayd.device.match import Choice, DeviceMatch

ENTRY = Entry("psu2", "bench supply", Choice(DeviceMatch(serial="B")), 7002, 7102)
PORT = "  psu1:\n    device: /dev/ttyS0  # rack 2\n    raw: 7101\n"
FILE = f"# ours\nversion: 1\nports:\n{PORT}"


def added(path: Path, text: str) -> str:
    """The content of `path` after ENTRY was added to `text`."""
    path.write_text(text, encoding="utf-8", newline="")
    append(str(path), ENTRY)
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gatewayd.yaml"


def test_the_port_comes_last_and_all_else_stays(path: Path) -> None:
    assert added(path, FILE) == FILE + ENTRY.yaml()
    assert [port.name for port in load(str(path)).ports] == ["psu1", "psu2"]


def test_it_is_put_into_its_block_wherever_that_stands(path: Path) -> None:
    tail = "\n# who may ask\ncontrol: /run/gatewayd/control\n"
    assert added(path, FILE + tail) == FILE + ENTRY.yaml() + tail
    middle = "version: 1\nports:\n# at the margin\n" + PORT
    assert added(path, middle) == middle + ENTRY.yaml()


def test_examples_in_comments_below_the_ports_stay_above_it(path: Path) -> None:
    text = FILE + "  # psu9:\n  #   device: /dev/ttyS9\n"
    assert added(path, text) == text + ENTRY.yaml()


def test_it_is_indented_like_its_siblings(path: Path) -> None:
    text = "version: 1\nports:\n      psu1:\n          device: /dev/ttyS0\n          raw: 7101\n"
    assert added(path, text) == text + ENTRY.yaml(6)


@pytest.mark.parametrize("ports", ["ports:", "ports: {}", "ports: { }   # none yet", "ports :"])
def test_the_first_port_of_a_file(path: Path, ports: str) -> None:
    text = added(path, f"version: 1\n{ports}\n")
    assert text.endswith("\n" + ENTRY.yaml())
    assert ("none yet" in text) == ("none yet" in ports)


def test_the_last_line_may_lack_its_end(path: Path) -> None:
    assert added(path, FILE.rstrip("\n")) == FILE + ENTRY.yaml()


def test_line_ends_of_another_system_stay(path: Path) -> None:
    text = FILE.replace("\n", "\r\n")
    assert added(path, text) == text + ENTRY.yaml().replace("\n", "\r\n")


def test_a_file_that_does_not_exist_is_made(path: Path) -> None:
    assert read_config(str(path)).ports == ()
    append(str(path), ENTRY)
    assert path.read_text(encoding="utf-8") == "version: 1\nports:\n" + ENTRY.yaml()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_mode_owner_and_links_stay(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text(FILE, encoding="utf-8")
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 12, 34)
    before = real.stat()
    path.symlink_to(real.name)
    append(str(path), ENTRY)
    after = real.stat()
    assert path.is_symlink()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert after.st_ino != before.st_ino
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name, real.name]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("version: 1\nprots:\n", "did you mean 'ports'"),
        ("version: 1\nports: {psu1: {device: /dev/ttyS0, raw: 7101}}\n", "no line `ports:`"),
        (FILE.replace("psu1", "psu2"), "psu2"),
        (FILE.replace("7101", "7102"), "7102"),
        (FILE.replace("/dev/ttyS0  #", "{serial: B} #"), "serial"),
        ("version: 1\nports: &all\n" + PORT, "no line `ports:`"),
        ("version: 1\ncontrol: >\n  a\nports:\n", "control"),
        ("\tversion", "gatewayd.yaml:1:1"),
    ],
)
def test_a_file_that_would_have_problems_is_not_touched(path: Path, text: str, cause: str) -> None:
    path.write_text(text, encoding="utf-8")
    before = path.stat()
    with pytest.raises(AppendError) as caught:
        append(str(path), ENTRY)
    assert str(caught.value).startswith(f"{path} is not changed:")
    assert cause in str(caught.value)
    assert path.read_text(encoding="utf-8") == text
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert len(os.listdir(path.parent)) == 1


def test_text_that_looks_like_the_heading_inside_another_value(path: Path) -> None:
    """The block is looked for as text; that it was the wrong one shows in the meaning."""
    text = "version: 1\ndescription: |\n ports:\n  x\nports:\n" + PORT
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AppendError):
        append(str(path), ENTRY)
    assert path.read_text(encoding="utf-8") == text


def test_a_bad_file_is_told_before(path: Path) -> None:
    path.write_text("version: 2\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        read_config(str(path))


def test_a_directory_that_is_not_there(path: Path) -> None:
    with pytest.raises(AppendError, match="No such file"):
        append(str(path.parent / "no/gatewayd.yaml"), ENTRY)
