"""Files of a record: days, parts, limits, what a crash left, and disks that fill or go."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.record import pcapng
from gatewayd.record.files import PARTS, Files, Shelf, kept
from gatewayd.record.pcapng import Event
from tests.record.disk import Disk, mounted, needs_root

DAY = "2026-11-25"
HEADER = pcapng.header("psu1", "", "gatewayd")
MOST = 1 << 20


def packet(data: bytes = b"x") -> bytes:
    return pcapng.packet(Event.DATA_RX, 1.0, data=data)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(str(tmp_path / "record"), 0)


@pytest.fixture
def files(shelf: Shelf) -> Iterator[Files]:
    files = Files(shelf, "psu1", keep=30, most=MOST)
    yield files
    files.close()


def names(files: Files) -> list[str]:
    return sorted(os.listdir(files.directory))


def content(files: Files, name: str) -> bytes:
    return Path(files.directory, name).read_bytes()


def test_a_file_a_day_of_each_kind(files: Files) -> None:
    files.write(DAY, b"one\n", packet(b"1"), HEADER)
    files.write(DAY, b"two\n", packet(b"2"), HEADER)
    files.write("2026-11-26", b"three\n", b"", HEADER)
    assert names(files) == ["2026-11-25.log", "2026-11-25.pcapng", "2026-11-26.log"]
    assert content(files, "2026-11-25.log") == b"one\ntwo\n"
    assert content(files, "2026-11-25.pcapng") == HEADER + packet(b"1") + packet(b"2")


def test_others_may_not_read_them(files: Files, shelf: Shelf) -> None:
    before = os.umask(0o077)
    try:
        files.write(DAY, b"one\n", packet(), HEADER)
    finally:
        os.umask(before)
    modes = [oct(os.stat(path).st_mode & 0o7777) for path in (shelf.directory, files.directory)]
    assert modes == ["0o750", "0o750"]
    for name in names(files):
        assert os.stat(os.path.join(files.directory, name)).st_mode & 0o7777 == 0o640


def test_the_next_process_goes_on_in_them(files: Files, shelf: Shelf) -> None:
    files.write(DAY, b"one\n", packet(b"1"), HEADER)
    files.close()
    again = Files(shelf, "psu1", keep=30, most=MOST)
    again.write(DAY, b"two\n", packet(b"2"), HEADER)
    again.close()
    assert content(files, "2026-11-25.log") == b"one\ntwo\n"
    assert content(files, "2026-11-25.pcapng") == HEADER + packet(b"1") + packet(b"2")


def test_another_header_begins_a_section(files: Files, shelf: Shelf) -> None:
    files.write(DAY, b"", packet(b"1"), HEADER)
    files.close()
    other = pcapng.header("psu1", "another device", "gatewayd")
    files.write(DAY, b"", packet(b"2"), other)
    assert content(files, "2026-11-25.pcapng") == HEADER + packet(b"1") + other + packet(b"2")


def test_what_a_crash_cut_is_mended(files: Files) -> None:
    files.write(DAY, b"one\n", packet(b"1"), HEADER)
    files.close()
    for name in names(files):
        with open(os.path.join(files.directory, name), "ab") as file:
            file.write(packet(b"torn")[:-7])
    files.write(DAY, b"two\n", packet(b"2"), HEADER)
    text = content(files, "2026-11-25.log")
    assert text.startswith(b"one\n")
    assert text.endswith(b"\ntwo\n")
    assert content(files, "2026-11-25.pcapng") == HEADER + packet(b"1") + packet(b"2")


def test_a_day_that_is_too_much_has_parts_and_the_oldest_go(files: Files) -> None:
    line = b"x" * 1023 + b"\n"
    for _ in range(3 * MOST // len(line)):
        files.write(DAY, line, b"", HEADER)
    found = kept(files.directory)
    assert sum(os.path.getsize(file.path) for file in found) <= MOST
    assert [file.part for file in found] == list(range(found[0].part, found[0].part + len(found)))
    assert found[0].part > 1
    assert len(found) in (PARTS - 1, PARTS)


def test_old_days_go(files: Files) -> None:
    os.makedirs(files.directory)
    for day in ("2026-10-25", "2026-10-26", "2026-10-27"):
        Path(files.directory, f"{day}.log").write_text("x\n")
    Path(files.directory, "notes.log").write_text("not ours\n")
    files.write(DAY, b"one\n", b"", HEADER)
    assert names(files) == ["2026-10-27.log", "2026-11-25.log", "notes.log"]


def test_a_file_that_was_taken_away_is_made_again(files: Files) -> None:
    files.write(DAY, b"one\n", b"", HEADER)
    shutil.rmtree(files.directory)
    files.write(DAY, b"two\n", b"", HEADER)
    assert content(files, "2026-11-25.log") == b"two\n"


def test_a_link_is_not_followed(files: Files, tmp_path: Path) -> None:
    os.makedirs(files.directory)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    Path(files.directory, f"{DAY}.log").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        files.write(DAY, b"one\n", b"", HEADER)
    assert victim.read_text() == "precious"


def test_what_is_no_file_is_not_written(files: Files) -> None:
    os.makedirs(files.directory)
    os.mkfifo(os.path.join(files.directory, f"{DAY}.log"))
    with pytest.raises(OSError, match="no file"):
        files.write(DAY, b"one\n", b"", HEADER)


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "record").write_text("in the way")
    files = Files(Shelf(str(tmp_path / "record"), 0), "psu1", keep=30, most=MOST)
    with pytest.raises(OSError, match="exists"):
        files.write(DAY, b"one\n", b"", HEADER)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", "1M") as disk:
        yield disk


@needs_root
def test_a_full_disk_leaves_whole_pieces(disk: Disk) -> None:
    files = Files(Shelf(str(disk.path / "record"), 0), "psu1", keep=30, most=1 << 30)
    filler = disk.path / "filler"
    filler.write_bytes(bytes(1 << 19))
    line = b"x" * 9999 + b"\n"

    def fill() -> None:
        for _ in range(1000):
            files.write(DAY, line, b"", HEADER)

    with pytest.raises(OSError, match="No space"):
        fill()
    assert len(content(files, f"{DAY}.log")) % len(line) == 0
    filler.unlink()
    files.write(DAY, line, b"", HEADER)
    files.close()


@needs_root
def test_room_is_left_to_others(disk: Disk) -> None:
    shelf = Shelf(str(disk.path / "record"), 512 << 10)
    old = Files(shelf, "old", keep=30, most=1 << 30)
    old.write("2026-11-24", b"x" * (300 << 10), b"", HEADER)
    old.close()
    files = Files(shelf, "psu1", keep=30, most=1 << 30)
    files.write(DAY, b"x" * (300 << 10), b"", HEADER)
    # There is less than half a disk free now: what is oldest goes, whoever's it is.
    files.write(DAY, b"y" * (100 << 10), b"", HEADER)
    assert names(old) == []
    files.write(DAY, b"y" * (150 << 10), b"", HEADER)
    with pytest.raises(OSError, match="less than 512K free"):
        files.write(DAY, b"z", b"", HEADER)
    files.close()


@needs_root
def test_below_a_lost_mount_nothing_is_written(disk: Disk) -> None:
    files = Files(Shelf(str(disk.path / "record"), 0), "psu1", keep=30, most=MOST)
    files.write(DAY, b"one\n", b"", HEADER)
    disk.unmount()
    with pytest.raises(OSError, match="not mounted any more"):
        files.write(DAY, b"two\n", b"", HEADER)
    assert os.listdir(disk.path) == []
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", disk.path], check=True)
    files.write(DAY, b"three\n", b"", HEADER)
    assert content(files, f"{DAY}.log") == b"three\n"
    files.close()
